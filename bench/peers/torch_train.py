"""One policy-gradient step with PyTorch and PEFT: forward, backward, AdamW on a LoRA of all linears, float32.

usage: torch_train.py MODEL.gguf THREADS installed|onednn
request: { "lora": {rank, alpha}, "promptIds": [...], "completions": [[...], ...] } → { "value": seconds }
Completions of one length; each row is prompt + completion, and only completions are scored.
"""
import sys
import torch
from peft import get_peft_model
from common import load, lora_config, requests, say, seconds
from onednn import send_frozen_linears_to_onednn

base = load(sys.argv[1], int(sys.argv[2]))
model = optimizer = None


def step(prompt, completions):
    rows = torch.tensor([prompt + completion for completion in completions])
    scored = rows[:, len(prompt):]
    logits = model(rows, logits_to_keep=scored.shape[1] + 1, use_cache=False).logits[:, :-1]
    log_probs = torch.log_softmax(logits, -1).gather(-1, scored[..., None])[..., 0]
    advantages = torch.linspace(-1, 1, len(completions)) if len(completions) > 1 else torch.ones(1)
    (-(log_probs * advantages[:, None]).mean()).backward()
    optimizer.step()
    optimizer.zero_grad()


for request in requests():
    if model is None:
        model = get_peft_model(base, lora_config(request["lora"]))
        if sys.argv[3] == "onednn":
            send_frozen_linears_to_onednn(model)
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-5)
    say({"value": seconds(lambda: step(request["promptIds"], request["completions"]))})
