"""Time and memory of reading, cleaning and deduplicating text into a corpus.

    python benchmarks/text.py --out /tmp/corpus FILE_OR_FOLDER...

Prints the seconds of each phase, megabytes of cleaned text a second, and the peak memory, and what
was kept and dropped. Files of the suffix .txt(.gz) are taken as blocks parted by blank lines.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

from hanlin.config import CorpusConfig, SourceConfig
from hanlin.text import Manifest, build_corpus


class PhaseClock:
    """Adds up the seconds between reports, by the phase of the later one."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._last = time.perf_counter()

    def __call__(self, phase: str, _done: int, _total: int) -> None:
        now = time.perf_counter()
        self.seconds[phase.split()[0]] += now - self._last
        self._last = now


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, help="keep the corpus in this folder")
    options = parser.parse_args()
    sources = tuple(
        SourceConfig(name=f"{path.parent.name}/{path.name}", path=str(path.resolve()), blocks=True)
        for path in options.paths
    )
    folder = options.out or Path(tempfile.mkdtemp())
    clock = PhaseClock()
    begin = time.perf_counter()
    try:
        manifest = build_corpus(
            CorpusConfig(sources=sources), folder, base=Path(), on_progress=clock
        )
        report(manifest, time.perf_counter() - begin, clock)
    finally:
        if options.out is None:
            shutil.rmtree(folder)


def report(manifest: Manifest, seconds: float, clock: PhaseClock) -> None:
    part = manifest.parts["main"]
    megabytes = part.bytes() / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for phase, spent in clock.seconds.items():
        print(f"{phase:>12} {spent:8.1f} s")
    print(
        f"{'all':>12} {seconds:8.1f} s   {megabytes / seconds:.2f} MB/s of {megabytes:.1f} MB kept"
    )
    print(f"{'processor':>12} {time.process_time():8.1f} s   in one process")
    print(f"{'peak memory':>12} {peak:8.0f} MB")
    print(f"{part.read} documents read, {part.documents()} kept")
    for reason, dropped in part.dropped.items():
        print(f"  dropped {dropped.count:6d}  {reason}: {dropped.samples[0]}")
    for split, seen in part.contamination.items():
        print(f"  {split}: {seen}")


if __name__ == "__main__":
    main()
