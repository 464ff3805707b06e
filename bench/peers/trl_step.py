"""Whole GRPO steps of TRL's GRPOTrainer with LoRA, float32: sampling, reward, backward, AdamW.

usage: trl_step.py MODEL.gguf THREADS RANK ALPHA PROMPTS ROLLOUTS NEW_TOKENS STEPS
request: {} → { "value": seconds of the next step }; no more than STEPS requests
"""
import os, random, re, sys, tempfile, time
from common import load, lora_config, requests, say, torch_library
from datasets import Dataset
from transformers import AutoTokenizer, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

path, (threads, rank, alpha, prompts, rollouts, new_tokens, steps) = sys.argv[1], map(int, sys.argv[2:9])
model = load(path, threads)
tokenizer = AutoTokenizer.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path))
tokenizer.pad_token_id = 2


def problems(count):
    chance = random.Random(0)
    for _ in range(count):
        a, b = chance.randint(1, 9), chance.randint(1, 9)
        content = f"What is {a} + {b}? Put your final answer in \\boxed{{}}."
        yield {"prompt": [{"role": "user", "content": content}], "gold": str(a + b)}


def reward(completions, gold, **_):
    found = [re.findall(r"-?\d+", completion[0]["content"]) for completion in completions]
    return [float(bool(numbers) and numbers[-1] == right) for numbers, right in zip(found, gold)]


class OneStepARequest(TrainerCallback):
    def __init__(self):
        self.requests = requests(torch_library())

    def on_step_begin(self, *_, **__):
        if next(self.requests, None) is None:
            os._exit(0)
        self.start = time.perf_counter()

    def on_step_end(self, *_, **__):
        say({"value": time.perf_counter() - self.start})


with tempfile.TemporaryDirectory() as folder:
    arguments = GRPOConfig(
        output_dir=folder, per_device_train_batch_size=prompts * rollouts, num_generations=rollouts,
        max_completion_length=new_tokens, max_steps=steps, learning_rate=1e-5, beta=0.0, temperature=1.0,
        use_cpu=True, bf16=False, gradient_checkpointing=False, dataloader_pin_memory=False, save_strategy="no",
        logging_strategy="no", report_to=[], disable_tqdm=True,
    )
    GRPOTrainer(
        model=model, reward_funcs=reward, args=arguments, train_dataset=Dataset.from_list(list(problems(400))),
        processing_class=tokenizer, peft_config=lora_config({"rank": rank, "alpha": alpha}),
        callbacks=[OneStepARequest()],
    ).train()
