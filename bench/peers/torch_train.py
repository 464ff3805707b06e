"""One policy-gradient step with PyTorch and PEFT: forward, backward, AdamW on a LoRA adapter, float32.

usage: torch_train.py MODEL.gguf THREADS ADAPTER_FOLDER installed|onednn
request: { "groups": [{ "promptIds": [...], "completions": [{ "tokenIds": [...], "advantage": a }] }], "rowsPerPass": B }
  → { "value": seconds }
The batch as TRL computes it: each row is a whole prompt with a completion, B rows a pass, gradients added up, one step.
Prompts of one length and completions of one length, so nothing is padded; the head only where completions are predicted.
With "gradientFile" nothing is changed: → {} when the gradient is in that file (safetensors).
"""
import sys
import torch
from peft import PeftModel
from safetensors.torch import save_file
from common import load, requests, say, seconds, torch_library
from onednn import send_frozen_linears_to_onednn

base = load(sys.argv[1], int(sys.argv[2]))
model = PeftModel.from_pretrained(base, sys.argv[3], is_trainable=True)
if sys.argv[4] == "onednn":
    send_frozen_linears_to_onednn(model)
parameters = {name.replace(".default", ""): p for name, p in model.named_parameters() if p.requires_grad}
optimizer = torch.optim.AdamW(parameters.values(), lr=1e-5)


def backward(groups, rows_per_pass):
    """Adds up the gradient of -(sum of advantage * log-prob over completion tokens) / tokens."""
    rows = [(group["promptIds"], c["tokenIds"], c["advantage"]) for group in groups for c in group["completions"]]
    tokens = sum(len(completion) for _, completion, _ in rows)
    for first in range(0, len(rows), rows_per_pass):
        prompts, completions, advantages = zip(*rows[first:first + rows_per_pass])
        scored = torch.tensor(completions)
        ids = torch.cat([torch.tensor(prompts), scored], 1)
        logits = model(ids, logits_to_keep=scored.shape[1] + 1, use_cache=False).logits[:, :-1]
        log_probs = torch.log_softmax(logits, -1).gather(-1, scored[..., None])[..., 0]
        (-(log_probs * torch.tensor(advantages)[:, None]).sum() / tokens).backward()


def step(groups, rows_per_pass):
    backward(groups, rows_per_pass)
    optimizer.step()
    optimizer.zero_grad()


for request in requests(torch_library()):
    work = request["groups"], request["rowsPerPass"]
    if "gradientFile" in request:
        backward(*work)
        save_file({name: p.grad for name, p in parameters.items()}, request["gradientFile"])
        optimizer.zero_grad()
        say({})
    else:
        say({"value": seconds(lambda: step(*work))})
