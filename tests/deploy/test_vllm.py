"""The script that starts vLLM: what it makes of its environment, and whether vLLM knows it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.recipes import DEPLOY

KEY = "a-key-that-nobody-sees"
VLLM = os.environ.get("OPENCODER_VLLM", "")  # the python of an environment that has it
VARIANTS = [
    {},
    {"TENSOR": "2", "PORT": "8001", "HOST": "0.0.0.0"},
    {"COPIES": "4"},
    {"TENSOR": "8", "RAY": "1"},
    {"TENSOR": "2", "COPIES": "2", "RAY": "1"},
]
_NOTES = f"""#!{sys.executable}
import json, os, sys
print(json.dumps({{"arguments": sys.argv[1:], "environment": dict(os.environ)}}))
"""
# vLLM's own parser, of the server that the script starts.
_PARSES = """
import json, sys
try:
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
except ImportError:  # older ones
    from vllm.entrypoints.openai.cli_args import make_arg_parser
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
for arguments in json.load(sys.stdin):
    parsed = vars(parser.parse_args(arguments))
    names = ("dtype", "tensor_parallel_size", "data_parallel_size", "hf_overrides", "port",
             "distributed_executor_backend", "data_parallel_backend", "scheduling_policy",
             "enable_prompt_tokens_details", "max_model_len", "served_model_name")
    print(json.dumps({name: parsed[name] for name in names}))
"""


def script(folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the script with a `vllm` and a python that only say how they are called."""
    key = folder / "key"
    key.write_text(f"{KEY}\n")
    for name in ("vllm", "python"):
        (folder / name).write_text(_NOTES)
        (folder / name).chmod(0o755)
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", str(DEPLOY / "vllm.sh"), "--max-num-seqs", "64"],
        env={"PATH": path, "KEY_FILE": str(key), **environment},
        capture_output=True,
        text=True,
    )


def called(folder: Path, environment: dict[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return arguments and environment of what the script starts."""
    done = script(folder, MODEL="/models/plus", **environment)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    return said["arguments"], said["environment"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_key_is_no_argument_and_further_flags_go_along(
    tmp_path: Path, variant: dict[str, str]
) -> None:
    arguments, environment = called(tmp_path, variant)
    assert arguments[:2] == ["serve", "/models/plus"]
    assert not any(KEY in argument for argument in arguments)
    assert environment["VLLM_API_KEY"] == KEY
    assert environment["VLLM_NO_USAGE_STATS"] == "1"
    place = arguments.index("--max-num-seqs")
    assert arguments[place + 1] == "64"


def test_where_there_is_no_command_it_is_the_module(tmp_path: Path) -> None:
    command, _ = called(tmp_path, {})
    module, _ = called(tmp_path, {"PYTHON": str(tmp_path / "python")})
    before = ["-m", "vllm.entrypoints.openai.api_server", "--model", "/models/plus"]
    assert module == before + command[2:]


def test_the_mlp_of_gptbigcode_is_split_over_the_cards(tmp_path: Path) -> None:
    arguments, _ = called(tmp_path, {"TENSOR": "2"})
    overrides = json.loads(arguments[arguments.index("--hf-overrides") + 1])
    assert overrides == {
        "base_model_tp_plan": {"h.*.mlp.c_fc": "colwise", "h.*.mlp.c_proj": "rowwise"}
    }


@pytest.mark.parametrize("missing", ["MODEL", "KEY_FILE"])
def test_what_is_not_given_is_asked_for(tmp_path: Path, missing: str) -> None:
    done = script(tmp_path, **{"MODEL": "/models/plus", missing: ""})
    assert done.returncode != 0
    assert missing in done.stderr


@pytest.mark.vllm
@pytest.mark.timeout(600)
@pytest.mark.skipif(not VLLM, reason="OPENCODER_VLLM names no python that has vLLM")
def test_vllm_knows_every_flag(tmp_path: Path) -> None:
    arguments = [called(tmp_path, variant)[0][1:] for variant in VARIANTS]
    done = subprocess.run(
        [VLLM, "-c", _PARSES], input=json.dumps(arguments), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    parsed = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [one["tensor_parallel_size"] for one in parsed] == [1, 2, 1, 8, 2]
    assert [one["data_parallel_size"] for one in parsed] == [1, 1, 4, 1, 2]
    ray = [None, None, None, "ray", "ray"]
    assert [one["distributed_executor_backend"] for one in parsed] == ray
    assert [one["data_parallel_backend"] for one in parsed] == ["mp"] * 4 + ["ray"]
    for one in parsed:
        assert one["hf_overrides"]["base_model_tp_plan"]["h.*.mlp.c_fc"] == "colwise"
        assert (one["dtype"], one["max_model_len"]) == ("bfloat16", 8192)
        assert one["scheduling_policy"] == "priority"
        assert one["enable_prompt_tokens_details"] is True
