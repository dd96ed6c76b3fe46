"""How other people's models fill masks, written down again from what they published.

Each is a generator: it yields the tokens after every step, greedily (temperature 0), for one
prompt. `logits` is the model without any cache, under its own attention; `banned` are tokens that
may not be written, as LLaDA's `logits_eos_inf` does for one.
"""

from collections.abc import Callable, Collection, Iterator

import torch
from torch import Tensor

Logits = Callable[[Tensor], Tensor]
"""Tokens [T] to logits [T, V]."""


def llada(
    logits: Logits, tokens: list[int], mask: int, steps: int, banned: Collection[int] = ()
) -> Iterator[list[int]]:
    """LLaDA's low-confidence remasking: equally many places each step, the earlier steps more.

    github.com/ML-GSAI/LLaDA, generate.py; the masks may be anywhere in `tokens`.
    """
    tokens = list(tokens)
    count = tokens.count(mask)
    for step in range(steps):
        take = count // steps + (step < count % steps)
        best, sure = _guess(logits, tokens, banned)
        masked = [place for place, token in enumerate(tokens) if token == mask]
        for place in sorted(masked, key=lambda p: -sure[p])[:take]:
            tokens[place] = best[place]
        yield list(tokens)


def dynamic(
    logits: Logits,
    tokens: list[int],
    mask: int,
    block: int,
    threshold: float,
    banned: Collection[int] = (),
) -> Iterator[list[int]]:
    """Block after block: every masked place above the threshold, else the surest one.

    SDAR's `low_confidence_dynamic` (github.com/JetAstra/SDAR, generate.py) with as many steps as a
    block has places, and LLaDA2.0's generate with its default of one place a step
    (github.com/ZHZisZZ/dllm, pipelines/llada2/sampler.py). With a threshold above 1 it is one place
    a step: BD3-LM's sampler in dllm with as many steps as places, and Stable-DiffCoder's.
    """
    tokens = list(tokens)
    for end in range(block, len(tokens) + block, block):
        while mask in tokens[:end]:
            best, sure = _guess(logits, tokens[:end], banned)
            masked = [place for place in range(end) if tokens[place] == mask]
            chosen = [place for place in masked if sure[place] > threshold]
            for place in chosen or [max(masked, key=lambda p: sure[p])]:
                tokens[place] = best[place]
            yield list(tokens)


def editing(
    logits: Logits,
    tokens: list[int],
    mask: int,
    block: int,
    thresholds: tuple[float, float],
    post_steps: int,
    banned: Collection[int] = (),
) -> Iterator[list[int]]:
    """LLaDA2.1's generate: as LLaDA2.0's, and what was written is replaced where it is sure.

    thresholds  to fill a masked place, and to replace a token

    github.com/ZHZisZZ/dllm, pipelines/llada21/sampler.py, which mirrors the checkpoint's own.
    """
    tokens, prompt = list(tokens), tokens.index(mask)
    for end in range(block, len(tokens) + block, block):
        posts = 0
        while end > prompt:
            masked = [place for place in range(end) if tokens[place] == mask]
            posts += not masked
            if posts > post_steps:
                break
            best, sure = _guess(logits, tokens[:end], banned)
            chosen = {place for place in masked if sure[place] > thresholds[0]}
            if masked and not chosen:
                chosen = {max(masked, key=lambda p: sure[p])}
            written = set(range(max(prompt, end - block), end)) - {*masked}
            edited = {p for p in written if sure[p] > thresholds[1] and best[p] != tokens[p]}
            for place in chosen | edited:
                tokens[place] = best[place]
            yield list(tokens)
            if not masked and not edited:
                break


def levenshtein(
    logits: Logits,
    tokens: list[int],
    mask: int,
    block: int,
    edits: tuple[int, int],
    most: int,
    banned: Collection[int] = (),
) -> Iterator[list[int]]:
    """LLaDA2.2's generate: as LLaDA2.1's, and two tokens delete and insert within a block.

    edits  the tokens that delete and insert
    most   passes over a block: the checkpoint's own ends after 1000 with masks left in it

    `_joint_decode_block` of the checkpoint's modeling_llada2_moe.py with its defaults, as it is
    told in fluxserve's decoders/levenshtein.py, which chooses the place to leave a loop not at
    random.
    """
    tokens = list(tokens)
    prompt = tokens.index(mask)
    for start in range(prompt - prompt % block, len(tokens), block):
        end, own = start + block, max(start, prompt)
        for middle in _edited(logits, tokens[:end], own, mask, edits, most, banned):
            tokens[own:end] = middle
            yield list(tokens)


def _edited(
    logits: Logits,
    tokens: list[int],
    own: int,
    mask: int,
    edits: tuple[int, int],
    most: int,
    banned: Collection[int],
) -> Iterator[list[int]]:
    """What a block has behind its prompt, after each pass."""
    x, first, posts = tokens[own:], [True] * len(tokens[own:]), 0
    seen: set[tuple[int, ...]] = set()
    for step in range(most):
        masked = [place for place, token in enumerate(x) if token == mask]
        original = sum(first[place] for place in masked)
        posts = 0 if original else posts + 1
        final = posts >= 16 or step == most - 1
        logits_TV = logits(torch.tensor(tokens[:own] + x))[own:]
        chances_TV = torch.softmax(_allowed(logits_TV, banned), 1)
        sure, best = (found.tolist() for found in chances_TV.max(1))
        if final:  # the tokens that edit are drawn again without those
            plain_TV = chances_TV.clone()
            plain_TV[:, list(edits)] = 0
            best = plain_TV.argmax(1).tolist()
        chosen = {place for place in masked if sure[place] > 0.5}
        need = (step < len(x)) + len(masked) - original
        if len(chosen) < need:
            chosen = set(sorted(masked, key=lambda place: -sure[place])[:need])
        if final or step >= 32:
            chosen = {*masked}
        edited = {p for p in range(len(x)) if x[p] != mask and best[p] != x[p] and sure[p] > 0}
        y = [best[p] if p in chosen | edited else token for p, token in enumerate(x)]
        if not final:
            y = _elsewhere(x, y, chances_TV, seen)
        seen.add(tuple(y))
        before, (x, first) = x, _applied(x, y, first, mask, edits)
        yield x
        if final or (x == before and mask not in x):
            return


def _elsewhere(
    before: list[int], after: list[int], chances_TV: Tensor, seen: Collection[tuple[int, ...]]
) -> list[int]:
    """`_resample_to_escape_loop`, of the least sure place."""
    after, sure = list(after), chances_TV.amax(1).tolist()
    for _ in range(5):
        changed = [place for place in range(len(after)) if before[place] != after[place]]
        if tuple(after) not in seen or not changed:
            break
        place = min(changed, key=lambda p: sure[p])
        others_V = chances_TV[place].clone()
        others_V[after[place]] = 0
        after[place] = int(others_V.argmax())
    return after


def _applied(
    before: list[int], after: list[int], first: list[bool], mask: int, edits: tuple[int, int]
) -> tuple[list[int], list[bool]]:
    """`_apply_edit_operations_with_tracking`: the block, and which slots it had from the start."""
    found: list[tuple[int, bool]] = []
    for old, new, own in zip(before, after, first, strict=True):
        if new == edits[1]:
            found += [(mask, False), (old, own)]
        elif new != edits[0]:
            found.append((new, own))
    found = (found + [(mask, False)] * len(after))[: len(after)]
    return [token for token, _ in found], [own for _, own in found]


def fast_dllm(
    logits: Logits,
    tokens: list[int],
    mask: int,
    block: int,
    part: int,
    threshold: float,
    banned: Collection[int] = (),
) -> Iterator[list[int]]:
    """Fast-dLLM v2: the first token of a block from the finished one before it, then part by part.

    A place is read off the token before it. github.com/NVlabs/Fast-dLLM, v2,
    generation_functions.py, without its block cache.
    """
    tokens = list(tokens)
    for start in range(0, len(tokens), block):
        end = start + block
        if start and tokens[start] == mask:
            tokens[start] = int(_allowed(logits(torch.tensor(tokens[:start]))[-1], banned).argmax())
            yield list(tokens)
        for first in range(start, end, part):
            while mask in tokens[first : first + part]:
                own_TV = logits(torch.tensor(tokens[:end]))[start:]
                shifted_TV = _allowed(torch.cat([own_TV[:1], own_TV[:-1]]), banned)
                chances = torch.softmax(shifted_TV, 1).max(1)
                masked = [p for p in range(first, first + part) if tokens[p] == mask]
                sure = {place: float(chances.values[place - start]) for place in masked}
                chosen = {place for place in masked if sure[place] > threshold}
                for place in chosen | {max(masked, key=lambda p: sure[p])}:
                    tokens[place] = int(chances.indices[place - start])
                yield list(tokens)


def _guess(
    logits: Logits, tokens: list[int], banned: Collection[int]
) -> tuple[list[int], list[float]]:
    """The best token of every place, and its probability."""
    chances = torch.softmax(_allowed(logits(torch.tensor(tokens)), banned), 1).max(1)
    return chances.indices.tolist(), chances.values.tolist()


def _allowed(logits: Tensor, banned: Collection[int]) -> Tensor:
    refused_V = torch.zeros(logits.shape[-1], dtype=torch.bool)
    refused_V[list(banned)] = True
    return logits.masked_fill(refused_V, -torch.inf)
