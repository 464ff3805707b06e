"""Log-probs of token sequences under a PEFT folder, and under the base model alone, float32.

usage: peft_log_probs.py MODEL.gguf THREADS ADAPTER_FOLDER
request: { "sequences": [[...], ...] } → { "base": [[...], ...], "adapted": [[...], ...] }, first tokens left out
"""
import sys
import torch
from peft import PeftModel
from common import load, requests, say, torch_library

model = PeftModel.from_pretrained(load(sys.argv[1], int(sys.argv[2])), sys.argv[3])
model.eval()


@torch.no_grad()
def log_probs(ids):
    scores = torch.log_softmax(model(torch.tensor([ids])).logits[0, :-1].double(), -1)
    return scores.gather(-1, torch.tensor(ids[1:])[:, None])[:, 0].tolist()


for request in requests(torch_library()):
    adapted = [log_probs(ids) for ids in request["sequences"]]
    with model.disable_adapter():
        base = [log_probs(ids) for ids in request["sequences"]]
    say({"base": base, "adapted": adapted})
