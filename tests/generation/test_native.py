"""The native engine against the plain decoder, in every shape and format."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from hanlin.compression.quantising import quantise
from hanlin.compression.rounding import round_to_nearest
from hanlin.config import QuantisationConfig, SamplingConfig
from hanlin.errors import HanlinError, ModelError, UserError
from hanlin.generation import Engine, Scheduler
from hanlin.generation.native import NativeEngine, is_available, load_core, load_native
from hanlin.generation.native.rounding import round_int4, round_int8
from hanlin.generation.native.sampling import History, draw, needs_history, uniforms
from hanlin.generation.native.shapes import parameter_shapes
from hanlin.generation.sampling import TokenHistory, penalise
from hanlin.generation.sampling import draw as draw_torch
from hanlin.models import Decoder, save_release, write_packed
from hanlin.models.quantised import _PackedMatrix
from native_models import SHAPES, gap, ids_of, logits_of, make
from native_rounding import keep_rounded

native = pytest.mark.skipif(not is_available(), reason="the native core is not built here")


@native
@pytest.mark.parametrize("instructions", ["auto", "portable"])
@pytest.mark.parametrize("shape", SHAPES)
def test_fp32_is_the_decoder(tmp_path: Path, shape: str, instructions: str) -> None:
    model, ids = make(shape), ids_of(70)
    save_release(tmp_path / "m", model)
    found = load_native(tmp_path / "m", instructions=instructions, threads=2)
    wanted = logits_of(model, ids)
    whole = found.session(70).read(ids, all=True)
    assert np.abs(whole - wanted).max() < 1e-4 * np.abs(wanted).max()
    session = found.session(80)
    session.read(ids[:5])
    for place in range(5, 70):
        one = session.read(ids[place : place + 1])
    assert np.abs(one - wanted[-1]).max() < 1e-4 * np.abs(wanted).max()


@native
@pytest.mark.parametrize("shape", ["gpt2", "qwen3"])
def test_bf16_is_the_decoder_with_rounded_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    model, ids = make(shape), ids_of(60)
    save_release(tmp_path / "m", model, dtype=torch.bfloat16)
    found = load_native(tmp_path / "m")
    assert found.weights == "bf16"
    for parameter in model.parameters():
        parameter.data = parameter.data.bfloat16().float()
    assert gap(found.session(60, 32).read(ids, all=True), logits_of(model, ids)) < 1e-4
    keep_rounded(monkeypatch, 16)
    assert gap(found.session(60).read(ids, all=True), logits_of(model, ids)) < 5e-4
    rounded = load_native_of(make(shape), tmp_path / "n", weights="bf16")
    assert gap(rounded.session(60).read(ids, all=True), logits_of(make(shape), ids)) < 3e-2


def load_native_of(model: Decoder, folder: Path, **options: object):
    save_release(folder, model)
    return load_native(folder, **options)


@native
@pytest.mark.parametrize("instructions", ["auto", "portable"])
@pytest.mark.parametrize(("bits", "group"), [(8, 64), (4, 32), (4, 64), (4, 128)])
def test_products_are_those_of_a_plain_reference(
    tmp_path: Path, instructions: str, bits: int, group: int
) -> None:
    model = make("qwen3", hidden_size=104, intermediate_size=200)
    packed = quantise(model, QuantisationConfig(bits=bits, group=group))
    save_release(tmp_path / "m", model)
    write_packed_beside(tmp_path / "m", tmp_path / "q", packed)
    core = load_native(tmp_path / "q", instructions=instructions, threads=2).core
    x = np.random.default_rng(1).standard_normal((7, 200), dtype=np.float32)
    x[3] *= 1000
    x[5] = 0
    down = packed.get_submodule("blocks.1.mlp.down")
    wanted = reference_product(down, x)
    found = core.product("blocks.1.mlp.down", x)
    assert np.abs(found - wanted).max() <= 2e-6 * np.abs(wanted).max()
    assert not found[5].any()


def reference_product(matrix: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    """Return x W^T with the codes of weights and activations, in plain numpy."""
    scales = matrix.scales.double().numpy()
    columns, group = matrix.columns, matrix.group
    if matrix.bits == 8:
        limit = min(32767, (2**31 - 1) // (255 * columns))
        sizes, codes = rounded(x, limit)
        return sizes * (codes @ matrix.codes.double().numpy().T) * scales[:, 0]
    zeros = np.repeat(matrix.zeros.double().numpy(), group, 1)[:, :columns]
    plain = torch.cat((matrix.codes & 15, matrix.codes >> 4), -1)[:, :columns].double().numpy()
    weights = np.repeat(scales, group, 1)[:, :columns] * (plain - zeros)
    total = np.zeros((len(x), len(weights)))
    for first in range(0, columns, group):
        sizes, codes = rounded(x[:, first : first + group], 127)
        total += sizes * (codes @ weights[:, first : first + group].T)
    return total


def rounded(x: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    most = np.abs(x).max(1, keepdims=True)
    sizes = most / np.float32(limit)
    inverse = np.divide(np.float32(1), sizes, out=np.zeros_like(sizes), where=most > 0)
    return sizes.astype(np.float64), np.rint(x * inverse).astype(np.float64)


def write_packed_beside(original: Path, target: Path, packed) -> None:
    target.mkdir()
    write_packed(target, packed, original)


@native
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("bits", "tables"), [(8, 8), (4, 8), (4, 4)])
def test_quantised_folders_are_the_quantised_decoder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str, bits: int, tables: int
) -> None:
    """Against the decoder with activations, keys and values rounded alike; a tie that falls the
    other way is one step of an activation, which all later tokens hear of."""
    model, ids = make(shape), ids_of(40)
    packed = quantise(model, QuantisationConfig(bits=bits, table_bits=tables, group=32))
    save_release(tmp_path / "m", model)
    write_packed_beside(tmp_path / "m", tmp_path / "q", packed)
    monkeypatch.setattr(_PackedMatrix, "product", rounded_product)
    wanted = {32: logits_of(packed, ids)}
    keep_rounded(monkeypatch, 16)
    wanted[16] = logits_of(packed, ids)
    for instructions in ("auto", "portable"):
        found = load_native(tmp_path / "q", threads=2, instructions=instructions)
        assert found.weights == f"int{bits}"
        for cache_bits, first in ((32, 2e-4), (16, 1e-3)):
            logits = found.session(40, cache_bits).read(ids, all=True)
            assert np.abs(logits - wanted[cache_bits]).max(1).min() < first
            assert gap(logits, wanted[cache_bits]) < 5e-2
    with pytest.raises(ModelError, match="cannot become fp32"):
        load_native(tmp_path / "q", weights="fp32")


def rounded_product(matrix: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    rows = x.reshape(-1, x.shape[-1]).numpy()
    return torch.from_numpy(reference_product(matrix, rows)).float().view(*x.shape[:-1], -1)


def test_rounding_is_that_of_compression() -> None:
    weight = np.random.default_rng(1).standard_normal((12, 70), dtype=np.float32)
    weight[3] = 0
    eight = round_to_nearest(torch.from_numpy(weight), bits=8, group=64)
    codes, scales, _ = round_int8(weight)
    assert np.array_equal(codes, eight.codes.numpy())
    assert np.array_equal(scales, eight.scales.numpy()[:, 0])
    four = round_to_nearest(torch.from_numpy(weight), bits=4, group=32)
    for mine, theirs in zip(
        round_int4(weight, 32), (four.codes, four.scales, four.zeros), strict=True
    ):
        assert np.array_equal(mine, theirs.numpy())


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_are_those_of_the_decoder(shape: str) -> None:
    model = make(shape)
    assert parameter_shapes(model.config) == {
        name: tuple(tensor.shape) for name, tensor in model.state_dict().items()
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0},
        {"temperature": 0.7, "top_p": 0.9},
        {"temperature": 1.0, "top_p": 1.0},
        {"temperature": 1.3, "top_k": 12, "top_p": 0.8},
        {"temperature": 3.0, "top_p": 0.999, "min_p": 0.001},
        {"temperature": 0.9, "repetition_penalty": 1.3, "presence_penalty": 0.4},
        {"temperature": 0.9, "frequency_penalty": 0.5},
    ],
)
def test_sampling_is_that_of_torch(changes: dict[str, float]) -> None:
    sampling = SamplingConfig(**changes)
    generator = np.random.default_rng(2)
    prompt, written = [1, 5, 5, 9], [7, 5, 7]
    for uniform in generator.random(60):
        logits = (2 * generator.standard_normal(700)).astype(np.float32)
        rows = torch.from_numpy(logits)[None]
        theirs, mine = TokenHistory([prompt], rows), History(prompt, 700)
        for token in written:
            theirs.add(torch.tensor([token]))
            mine.add(token)
        wanted = draw_torch(penalise(rows, sampling, theirs), sampling, torch.tensor([uniform]))
        assert needs_history(sampling) == TokenHistory.matters(sampling)
        assert draw(mine.penalise(logits, sampling), sampling, uniform) == int(wanted)


@pytest.mark.parametrize("seed", [0, 7, 2**33 + 1])
def test_uniform_numbers_are_those_of_torch(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    wanted = torch.rand(500, generator=generator, dtype=torch.float64)
    assert np.array_equal(uniforms(seed, 500), wanted.numpy())


@pytest.fixture
def pair(tmp_path: Path, tokenizer) -> Callable[..., tuple[Engine, NativeEngine]]:
    """Return a maker of both engines around one model."""

    def build(shape: str = "qwen3") -> tuple[Engine, NativeEngine]:
        model = make(shape, vocab_size=tokenizer.vocab_size)
        save_release(tmp_path / shape, model)
        return Engine(model, tokenizer), NativeEngine(load_native(tmp_path / shape), tokenizer)

    return build


@native
@pytest.mark.parametrize("shape", ["gpt2", "qwen3"])
def test_both_engines_write_the_same(pair, shape: str) -> None:
    plain, fast = pair(shape)
    generator = np.random.default_rng(3)
    for seed in range(30):
        prompt = generator.integers(3, plain.tokenizer.vocab_size, seed % 9).tolist()
        greedy = SamplingConfig(temperature=0, max_tokens=30)
        assert_same_but_for_ties(plain, fast, prompt, greedy)
        drawn = SamplingConfig(seed=seed, max_tokens=30, repetition_penalty=1.1)
        assert_same_but_for_ties(plain, fast, prompt, drawn)
        assert "".join(fast.stream(prompt, drawn)) == fast.generate(prompt, drawn).text


@native
def test_both_engines_hold_a_text_to_its_fewest_tokens(pair) -> None:
    plain, fast = pair()
    generator = np.random.default_rng(4)
    for seed in range(20):
        prompt = generator.integers(3, plain.tokenizer.vocab_size, 1 + seed % 5).tolist()
        for fewest in (0, 7, 20):
            drawn = SamplingConfig(temperature=2.0, top_p=1.0, seed=seed, max_tokens=20)
            held = drawn.model_copy(update={"min_tokens": fewest})
            assert_same_but_for_ties(plain, fast, prompt, held)
            assert len(fast.generate(prompt, held).ids) >= fewest
            scheduler = Scheduler(fast)
            job = scheduler.submit(prompt, held)
            scheduler.run()
            assert job.complete() == fast.generate(prompt, held)


@native
@pytest.mark.slow
@pytest.mark.parametrize("shape", ["gpt2", "llama", "qwen2", "qwen3"])
def test_two_hundred_greedy_texts_are_those_of_torch(pair, shape: str) -> None:
    plain, fast = pair(shape)
    generator = np.random.default_rng(4)
    greedy = SamplingConfig(temperature=0, max_tokens=24)
    for number in range(200):
        prompt = generator.integers(3, plain.tokenizer.vocab_size, 1 + number % 50).tolist()
        assert_same_but_for_ties(plain, fast, prompt, greedy)


def assert_same_but_for_ties(
    plain: Engine, fast: NativeEngine, prompt: list[int], sampling: SamplingConfig
) -> None:
    """Where the texts part, the two tokens must be as likely as each other to the last bits."""
    wanted, found = plain.generate(prompt, sampling), fast.generate(prompt, sampling)
    if wanted == found:
        return
    place = next(i for i, (a, b) in enumerate(zip(wanted.ids, found.ids, strict=False)) if a != b)
    before = [*(prompt or [plain.tokenizer.eot_id]), *wanted.ids[:place]]
    logits = logits_of(plain.model, np.array(before))[-1]
    assert abs(logits[wanted.ids[place]] - logits[found.ids[place]]) < 1e-5


@native
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_texts_written_together_are_those_alone(pair, temperature: float) -> None:
    _, fast = pair()
    prompts = [[], *(ids_of(1 + 3 * number, seed=number).tolist() for number in range(5))]
    sampling = SamplingConfig(
        temperature=temperature, seed=4, max_tokens=40, repetition_penalty=1.1, top_k=20
    )
    alone = [
        fast.generate(prompt, sampling.model_copy(update={"seed": 4 + row}))
        for row, prompt in enumerate(prompts)
    ]
    assert fast.generate_batch(prompts, sampling) == alone
    assert fast.generate_batch([], sampling) == []
    if temperature:
        assert len({len(completion.ids) for completion in alone}) > 1  # each ends by itself


@native
def test_both_engines_score_the_same(pair) -> None:
    plain, fast = pair()
    ids = ids_of(81).tolist()
    assert fast.logprobs(ids) == pytest.approx(plain.logprobs(ids), abs=1e-4)
    assert fast.logprobs([]) == fast.logprobs([3]) == []


@native
def test_what_is_refused(pair) -> None:
    plain, fast = pair()
    for call in (
        lambda engine: engine.generate([4] * 80, SamplingConfig()),
        lambda engine: engine.generate([100_000], SamplingConfig()),
        lambda engine: engine.generate([-1], SamplingConfig()),
        lambda engine: engine.logprobs([4] * 82),
    ):
        messages = []
        for engine in (plain, fast):
            with pytest.raises(UserError) as caught:
                call(engine)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]


@native
def test_sessions_refuse_what_does_not_fit(tmp_path: Path) -> None:
    found = load_native_of(make("qwen3"), tmp_path / "m")
    session = found.session(10)
    for wrong in ([], [100], [-1], [1] * 11):
        with pytest.raises(ValueError, match=r"tokens|vocabulary"):
            session.read(np.array(wrong, dtype=np.int64))
    assert session.length == 0
    first = session.read(ids_of(6))
    session.rewind(3)
    with pytest.raises(ValueError, match="holds 3 tokens"):
        session.rewind(4)
    assert np.abs(session.read(ids_of(6)[3:]) - first).max() < 1e-4 * np.abs(first).max()
    for capacity in (0, 81):
        with pytest.raises(ValueError, match="context"):
            found.session(capacity)


@native
def test_an_unknown_instruction_set_is_refused(tmp_path: Path) -> None:
    assert load_core().instruction_sets()[-1] == "portable"
    with pytest.raises(ModelError, match="no instruction set abacus"):
        load_native_of(make("qwen3"), tmp_path / "m", instructions="abacus")


@native
def test_the_environment_may_name_the_instruction_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_release(tmp_path / "m", make("qwen3"))
    monkeypatch.setenv("HANLIN_INSTRUCTIONS", "portable")
    assert load_native(tmp_path / "m").core.instructions == "portable"
    fastest = load_core().instruction_sets()[0]
    assert load_native(tmp_path / "m", instructions=fastest).core.instructions == fastest
    monkeypatch.setenv("HANLIN_INSTRUCTIONS", "abacus")
    with pytest.raises(ModelError, match=f"no instruction set abacus, only {fastest}"):
        load_native(tmp_path / "m")


def rewrite_header(path: Path, change: Callable[[dict], None]) -> None:
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__")
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + size :])


def _spoil_number(path: Path) -> None:
    rewrite_header(path, lambda header: None)
    data = bytearray(path.read_bytes())
    data[-4:] = struct.pack("<f", float("nan"))
    path.write_bytes(bytes(data))


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))


def _other_shape(header: dict) -> None:
    entry = header["model.embed_tokens.weight"]
    entry["shape"] = entry["shape"][::-1]


def _other_type(header: dict) -> None:
    header["model.embed_tokens.weight"]["dtype"] = "I32"


HOSTILE: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-10]),
    "header only": lambda path: path.write_bytes(path.read_bytes()[:20]),
    "empty": lambda path: path.write_bytes(b""),
    "huge header": lambda path: path.write_bytes(b"\xff" * 8 + path.read_bytes()[8:]),
    "flipped": _flip,
    "not finite": _spoil_number,
    "other shape": lambda path: rewrite_header(path, _other_shape),
    "other type": lambda path: rewrite_header(path, _other_type),
    "one missing": lambda path: rewrite_header(
        path, lambda header: header.update(x=header.pop("model.norm.weight"))
    ),
    "offsets": lambda path: rewrite_header(
        path, lambda header: header["model.norm.weight"].update(data_offsets=[0, 2**60])
    ),
    "gone": lambda path: path.unlink(),
}


@native
@pytest.mark.parametrize("harm", HOSTILE)
def test_harmed_weights_are_a_clear_error(tmp_path: Path, harm: str) -> None:
    save_release(tmp_path / "m", make("qwen3"))
    HOSTILE[harm](tmp_path / "m" / "model.safetensors")
    with pytest.raises(ModelError) as caught:
        load_native(tmp_path / "m")
    assert str(tmp_path) in str(caught.value)


@native
@pytest.mark.parametrize(
    "changes",
    [
        {"max_position_embeddings": 10**15},
        {"num_attention_heads": 3},
        {"vocab_size": 2**40},
        {"hidden_size": -1},
        {"head_dim": 10**9},
        {"num_hidden_layers": 10**4},
        {"model_type": "mystery"},
    ],
)
def test_harmed_shapes_are_a_clear_error(tmp_path: Path, changes: dict[str, object]) -> None:
    save_release(tmp_path / "m", make("qwen3"))
    path = tmp_path / "m" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(HanlinError):
        load_native(tmp_path / "m").session(10**15)


@native
def test_torch_is_not_loaded(tmp_path: Path) -> None:
    save_release(tmp_path / "m", make("qwen3"))
    code = (
        "import sys; from pathlib import Path; import hanlin.tokenizers; import numpy as np\n"
        "from hanlin.generation.native import load_native, NativeEngine\n"
        "load_native(Path(sys.argv[1])).session(4).read(np.array([1, 2]))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "m")], check=True)


# A shape a family of weights; every format and instruction set, each with one of them.
STEPPED = [
    ("gpt2", "fp32", "auto"),
    ("qwen3-banded", "bf16", "auto"),
    ("llama", "int8", "auto"),
    ("gpt2-banded", "int4", "auto"),
    ("qwen2", "fp32", "portable"),
    ("gpt2-untied", "bf16", "portable"),
    ("qwen3", "int8", "portable"),
    ("qwen3", "int4", "portable"),
]


@native
@pytest.mark.parametrize(("shape", "weights", "instructions"), STEPPED)
def test_sessions_stepped_together_are_those_alone(
    tmp_path: Path, shape: str, weights: str, instructions: str
) -> None:
    # Wider than what a part of a panel holds, so that sums are put together from parts.
    model = make(shape, intermediate_size=600, num_layers=2)
    found = load_native_of(
        model, tmp_path / "m", weights=weights, instructions=instructions, threads=2
    )
    texts = [ids_of(3 + number % 7, seed=number) for number in range(17)]
    following = np.random.default_rng(9).integers(0, 100, (2, 17))
    wanted = []
    for number, text in enumerate(texts):
        session = found.session(12)
        session.read(text)
        wanted.append([session.read(step[number : number + 1]) for step in following])
    for count in (1, 2, 3, 4, 5, 17):
        sessions = [found.session(12) for _ in range(count)]
        for session, text in zip(sessions, texts, strict=False):
            session.read(text)
        for place, step in enumerate(following):
            logits = found.core.read(sessions, step[:count], [1] * count, [True] * count)
            for number in range(count):
                assert np.array_equal(logits[number], wanted[number][place])


@native
def test_a_step_that_cannot_be_reads_nothing(tmp_path: Path) -> None:
    found = load_native_of(make("gpt2"), tmp_path / "m")
    one, full = found.session(4), found.session(1)
    full.read(np.array([1]))
    for sessions, tokens in [([one, one], [1, 2]), ([one, full], [1, 2]), ([one], [100]), ([], [])]:
        with pytest.raises(ValueError):
            ones = [1] * len(sessions)
            found.core.read(sessions, np.array(tokens, dtype=np.int64), ones, ones)
    for tokens, counts in [([1], [2]), ([1, 2], [1]), ([1, 2], [0]), ([1] * 5, [5])]:
        with pytest.raises(ValueError):
            found.core.read([one], np.array(tokens, dtype=np.int64), counts, [True])
    assert one.length == 0


@native
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
def test_the_bandwidth_is_that_of_memory_that_was_written() -> None:
    # Untouched pages share one page of zeros, whose reading measures the cache.
    program = (
        "import re; from hanlin.generation.native import load_core; core = load_core();"
        "peak = lambda: int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]);"
        "before = peak(); core.read_bandwidth(100, 1, 1); print(peak() - before)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert int(run.stdout) > 80_000  # KiB
