"""What every peer does: load once, then answer one JSON request a line with one JSON line."""
import json, os, re, sys, time

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

# Libraries print what they like; it goes to stderr, and the answers to what was stdout.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def say(value):
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def requests(library):
    """Says with what it computes, then gives the requests as they come."""
    say({"library": library})
    for line in sys.stdin:
        yield json.loads(line)


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def torch_library():
    """The matrix libraries that PyTorch has, and the instructions it uses."""
    import torch

    told = torch.__config__.show()
    mkl = re.search(r"Math Kernel Library Version (\S+)", told)
    onednn = re.search(r"MKL-DNN v(\S+)", told)
    found = [f"MKL {mkl[1]}" if mkl else "no MKL", f"oneDNN {onednn[1]}" if onednn else "no oneDNN"]
    return ", ".join(["PyTorch", *found, torch.backends.cpu.get_cpu_capability()])


def load(path, threads):
    """The dequantised weights of a GGUF file as a plain float32 transformers model."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(threads)
    folder, file = os.path.split(path)
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    # The weights are dequantised, but the model still says quantised, and peft and trl would refuse to train it.
    model.hf_quantizer = None
    model.is_quantized = False
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    return model


def lora_config(lora):
    from peft import LoraConfig

    modules = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    return LoraConfig(r=lora["rank"], lora_alpha=lora["alpha"], target_modules=modules, task_type="CAUSAL_LM")
