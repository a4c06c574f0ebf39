#!/bin/sh
# OpenCoderPlus on vLLM, which fronts reach by `engine.url`:
#
#     MODEL=/models/opencoderplus KEY_FILE=~/vllm.key sh vllm.sh [MORE FLAGS OF VLLM…]
#
# TENSOR   cards of one copy of the model (1; a card of 80 GB holds it whole)
# COPIES   copies of it behind this one address, each on TENSOR cards (1)
# RAY      1 to place cards on several hosts. On the first: ray start --head --port 6379; on the
#          others: ray start --address FIRST:6379; then run this on the first, once
# HOST, PORT   where it listens (127.0.0.1, 8000). Put nginx with TLS in front: nginx-vllm.conf
# PYTHON   of an environment that has vLLM but no command `vllm`, as builds for CPUs
set -eu
: "${MODEL:?the folder of the model, as opencoder-lsp models pull opencoderplus makes it}"
: "${KEY_FILE:?a file with the key that fronts give; nobody else should read it}"

# By the environment and not as a flag, which every user of the host can read. No word to anybody.
VLLM_API_KEY=$(cat "$KEY_FILE")
export VLLM_API_KEY VLLM_NO_USAGE_STATS=1 HF_HUB_OFFLINE=1

# GPTBigCode's plan for tensor parallelism leaves out the MLP, 78 % of the weights: without these
# two lines every card holds 27.6 GB, however many there are.
overrides='{"base_model_tp_plan": {"h.*.mlp.c_fc": "colwise", "h.*.mlp.c_proj": "rowwise"}}'

if [ "${RAY:-}" = 1 ]; then
  set -- --distributed-executor-backend ray "$@"
  [ "${COPIES:-1}" = 1 ] || set -- --data-parallel-backend ray "$@"
fi

# Completions go before chats by their priority, and a typed key costs what is new in its prompt.
set -- \
  --served-model-name opencoderplus --dtype bfloat16 --max-model-len 8192 \
  --tensor-parallel-size "${TENSOR:-1}" --data-parallel-size "${COPIES:-1}" \
  --hf-overrides "$overrides" \
  --enable-prefix-caching --enable-chunked-prefill --scheduling-policy priority \
  --enable-prompt-tokens-details \
  --host "${HOST:-127.0.0.1}" --port "${PORT:-8000}" "$@"

if [ -n "${PYTHON:-}" ]; then
  exec "$PYTHON" -m vllm.entrypoints.openai.api_server --model "$MODEL" "$@"
fi
exec vllm serve "$MODEL" "$@"
