"""PEFT's keyword arguments that have nothing to do here, in one place: taken when leaving them out changes nothing.

Scripts written for PEFT pass them to `save_pretrained`, `from_pretrained` and `load_adapter`. One that would change
what happens is refused with the reason; one that no version of PEFT knows is refused as Python does, by `TypeError`.
"""

from typing import Any

HUB = (
    *("subfolder", "revision", "token", "use_auth_token", "cache_dir", "local_files_only", "force_download"),
    *("proxies", "etag_timeout", "user_agent", "endpoint", "repo_type", "local_dir"),
)
"""What a hub is asked with; a folder on this machine is read without them."""

IDLE = {
    "torch_device": "the adapter goes to its base model's device",
    "device_map": "the base model is where it is, and the prefix goes beside it",
    "max_memory": "nothing is dispatched anew",
    "offload_folder": "nothing is dispatched anew",
    "offload_dir": "nothing is dispatched anew",
    "offload_index": "nothing is dispatched anew",
    "low_cpu_mem_usage": "a prefix is small, and is made where it stays",
    "use_safetensors": "safetensors is what is read first",
    "max_shard_size": "an adapter is one file",
    "variant": "an adapter has none",
    **dict.fromkeys(
        ("torch_dtype", "dtype", "trust_remote_code", "load_in_8bit", "load_in_4bit", "quantization_config"),
        "it is for the base model, which is loaded already",
    ),
    **dict.fromkeys(
        ("attn_implementation", "return_dict", "inference_mode"),
        "PEFT reads it nowhere here either",
    ),
    **dict.fromkeys(
        ("save_function", "commit_message", "repo_id", "save_peft_format"), "PEFT's saving ignores it, too"
    ),
}
"""Taken with any value, and why it changes no number."""

ONLY = {
    "path_initial_model_for_weight_conversion": (None, "it undoes PiSSA, CorDA and OLoRA, which are not here"),
    "push_to_hub": (False, "PEFT's save_pretrained does not push either. Call model.push_to_hub(repo_id) after it"),
    "ephemeral_gpu_offload": (False, "it belongs to DoRA, which is not here"),
    "ignore_mismatched_sizes": (False, "an adapter of other sizes is not this model's. load_adapter takes it"),
    "key_mapping": (None, "rename the keys of load_peft_weights(...) and give them to set_peft_model_state_dict"),
}
"""Taken at the one value that changes nothing; with another it is refused, for this reason."""


def sort_out(function: str, given: dict[str, Any]) -> dict[str, Any]:
    """Those of the given keywords that a hub is asked with; every other one is checked, and left out.

    Raises `ValueError` for one whose value would change what happens, `TypeError` for one that PEFT does not know.
    """
    for name, value in given.items():
        if name in HUB or name in IDLE:
            continue
        if name not in ONLY:
            raise TypeError(f"{function} got an unexpected keyword argument {name!r}.")
        allowed, reason = ONLY[name]
        if value != allowed and not (name == "key_mapping" and not value):
            raise ValueError(f"{function}({name}={value!r}): only {allowed!r} is taken here: {reason}.")
    return {name: value for name, value in given.items() if name in HUB and value is not None}
