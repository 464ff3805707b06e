"""Batched sampling with transformers' generate, float32, temperature 1.

usage: torch_generate.py MODEL.gguf THREADS
request: { "promptIds": [...], "batch": B, "newTokens": N } → { "value": tokens per second }
"""
import sys
import torch
from common import load, requests, say, seconds, torch_library

model = load(sys.argv[1], int(sys.argv[2]))
model.eval()

for request in requests(torch_library()):
    ids = torch.tensor([request["promptIds"]] * request["batch"])
    count = request["newTokens"]
    options = dict(max_new_tokens=count, min_new_tokens=count, do_sample=True, temperature=1.0, top_k=0, top_p=1.0)
    with torch.inference_mode():
        taken = seconds(lambda: model.generate(ids, attention_mask=torch.ones_like(ids), pad_token_id=2, **options))
    say({"value": request["batch"] * count / taken})
