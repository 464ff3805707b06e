"""Batched decode with llama.cpp: sequences that share one prompt, without sampling.

usage: llama_decode.py MODEL.gguf THREADS
request: { "promptIds": [...], "batch": B, "newTokens": N } → { "value": tokens per second of decode alone }
"""
import ctypes, sys, time
from common import requests, say
import llama_cpp as llama

path, threads = sys.argv[1], int(sys.argv[2])


@llama.llama_log_callback
def quiet(level, text, data):
    pass


llama.llama_log_set(quiet, ctypes.c_void_p(0))
llama.llama_backend_init()
model_params = llama.llama_model_default_params()
model_params.n_gpu_layers = 0
model = llama.llama_model_load_from_file(path.encode(), model_params)


def fill(batch, rows):
    """rows: (token, position, sequences, whether logits are wanted)"""
    batch.n_tokens = len(rows)
    for i, (token, position, sequences, wanted) in enumerate(rows):
        batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.logits[i] = token, position, len(sequences), wanted
        for j, sequence in enumerate(sequences):
            batch.seq_id[i][j] = sequence


def decode(prompt, size, steps):
    params = llama.llama_context_default_params()
    params.n_ctx = size * (steps + 8) + len(prompt) + 64
    params.n_batch, params.n_ubatch, params.n_seq_max, params.kv_unified = 2048, 512, size, True
    params.n_threads = params.n_threads_batch = threads
    context = llama.llama_init_from_model(model, params)
    batch = llama.llama_batch_init(4096, 0, size)
    everyone, last = list(range(size)), len(prompt) - 1
    fill(batch, [(token, i, everyone, i == last) for i, token in enumerate(prompt)])
    assert llama.llama_decode(context, batch) == 0
    taken = 0.0
    for step in range(steps):
        fill(batch, [(200 + (step * 7 + s) % 1000, len(prompt) + step, [s], True) for s in everyone])
        start = time.perf_counter()
        assert llama.llama_decode(context, batch) == 0
        llama.llama_get_logits(context)
        taken += time.perf_counter() - start
    llama.llama_batch_free(batch)
    llama.llama_free(context)
    return size * steps / taken


for request in requests(f"llama.cpp, {llama.llama_print_system_info().decode()}"):
    say({"value": decode(request["promptIds"], request["batch"], request["newTokens"])})
