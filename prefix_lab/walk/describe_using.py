"""What is told of the last three stages: a model that reads the prefix, a prefix that learns, a file that holds it."""

import torch
from torch import Tensor, nn

from prefix_lab.walk.results import Described, Fact
from prefix_lab.walk.rows import numbers_of_rows, unread_rows
from prefix_lab.walk.setting import same_setting
from prefix_lab.walk.sides import Run, Side
from prefix_lab.walk.steps import call, loss_of
from prefix_lab.walk.words import count, dtype, listed


def attend(side: Side, run: Run) -> Described:
    attended = side.made["attend"]
    name = "decoder_attention_mask" if "decoder_attention_mask" in run.batch else "attention_mask"
    before, after = run.batch[name], attended.seen[name]
    text = f"{name}: {before.shape[1]} → {after.shape[1]} columns, {dtype(before)} → {dtype(after)}"
    facts = [Fact("mask", text, {"name": name, "from": list(before.shape), "to": list(after.shape)})]
    if name != "attention_mask":
        own, seen = run.batch["attention_mask"], attended.seen["attention_mask"]
        text = f"the encoder's attention_mask: {own.shape[1]} → {seen.shape[1]} columns"
        text += "; it sees no prefix" * (own.shape == seen.shape)
        facts.append(Fact("encoder_mask", text, {"from": list(own.shape), "to": list(seen.shape)}))
    if not run.meta:
        facts += beside_bare_model(side, run)
    return Described({"mask": before, "mask in the model": after, **attended.outputs}, tuple(facts), {"mask": name})


def beside_bare_model(side: Side, run: Run) -> list[Fact]:
    """The same texts through the base model alone."""
    with torch.no_grad(), same_setting(side.base, run.seed):
        bare = call(side.base, run)
    facts = []
    outputs = side.made["attend"].outputs
    if "encoder_last_hidden_state" in outputs:
        same = torch.equal(outputs["encoder_last_hidden_state"], bare["encoder_last_hidden_state"])
        text = f"the encoder's output is {'bit for bit' if same else 'not'} what it is without a prefix"
        facts.append(Fact("encoder_unchanged", text, same))
    loss, bare_loss = side.made["attend"].loss.item(), loss_of(bare).item()
    text = f"loss {loss:.4f} with this untrained prefix, {bare_loss:.4f} without one"
    if "loss" not in bare:
        text += "; hidden states have no loss, so the mean of |last_hidden_state| stands in, as an example"
    return [*facts, Fact("loss", text, {"with": loss, "without": bare_loss})]


def learn(side: Side, run: Run) -> Described:
    learned = side.made["learn"]
    reached = [name for name, gradient in learned.gradients.items() if gradient is not None]
    base = len(list(side.base.parameters()))
    text = f"the gradient reached {len(reached)} of {count(len(learned.gradients), 'trainable tensor')}, and "
    text += f"{learned.reached_base} of the base model's {base}"
    facts = (Fact("reached", text, {"prefix": reached, "base": learned.reached_base}), gradient_of_rows(side, run))
    gradient = side.encoder.embedding.weight.grad
    return Described({"loss": side.made["attend"].loss, "embedding.weight.grad": gradient}, facts)


def gradient_of_rows(side: Side, run: Run) -> Fact:
    """Which rows of a vector got no gradient at all; without values, the rows that `split` gave to no layer."""
    config = side.model.active_peft_config
    rows, trainable = 2 * config.num_layers, side.model.get_nb_trainable_parameters()[0]
    if run.meta:
        dead, how = unread_rows(config), "as split shows, for there are no values here to count"
    else:
        dead, how = rows_without_gradient(side.made["learn"].vectors, rows), "counted in this run"
    lost = numbers_of_rows(side.encoder, dead, rows)
    if dead:
        text = f"no gradient at all for {len(dead)} of {rows} rows ({listed(dead)}): {lost:,} of the {trainable:,} "
        text += f"trainable numbers never learn; {how}"
    else:
        text = f"a gradient for each of the {rows} rows of a vector; {how}"
    data = {"rows": dead, "of": rows, "numbers": lost, "trainable": trainable, "counted": not run.meta}
    return Fact("rows_without_gradient", text, data)


def rows_without_gradient(gradient: Tensor, rows: int) -> list[int]:
    """Rows of the last axis, a key or value of one layer each, whose gradient is zero everywhere."""
    by_row = gradient.unflatten(-1, (rows, -1)).abs().amax(dim=(0, 1, 3))  # (batch, prefix_len, rows, hidden) → (rows,)
    return torch.nonzero(by_row == 0).flatten().tolist()


def keep(side: Side, run: Run) -> Described:
    kept = side.made["keep"]
    sizes = {name: tensor.numel() for name, tensor in kept.tensors.items()}
    held = ", ".join(f"{size:,} numbers, {dtype(kept.tensors[name])}" for name, size in sizes.items())
    written = kept.files.get("adapter_model.safetensors")
    where = f"{written:,} bytes" if written else "not written, since there are no values"
    data = {"tensors": sizes, "files": kept.files}
    inference = kept.config.get("inference_mode")
    facts = [
        Fact("weights", f"adapter_model.safetensors: {held} ({where})", data),
        Fact("config", f"adapter_config.json: {len(kept.config)} fields, inference_mode={inference}", kept.config),
    ]
    if hasattr(side.encoder, "transform"):
        trained = numbers_of(side.encoder)
        text = f"the {trained:,} trained numbers made these {sum(sizes.values()):,}; they are not written themselves"
        facts.append(Fact("projection", text, {"trained": trained, "written": sum(sizes.values())}))
    return Described({"past_key_values": kept.vectors, **kept.tensors}, tuple(facts))


def numbers_of(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())
