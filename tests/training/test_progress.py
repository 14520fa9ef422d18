"""What training shows, word for word."""

from __future__ import annotations

import io

from hanlin.training import Status, choose_display
from hanlin.training.progress import format_status

_STATUS = Status(20, 400, 4.5, 1.625, 2345.6, 0.376, 3600.0)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_one_plain_line() -> None:
    stream = io.StringIO()
    display = choose_display(stream)
    display.say("training on cpu")
    display.show(_STATUS)
    display.close()
    assert stream.getvalue() == (
        "training on cpu\n"
        "step 20/400  loss 4.500  1.625 bits/byte  2,346 tokens/s  MFU 38 %  1 h 0 min left\n"
    )


def test_a_terminal_gets_a_bar_with_the_same_words() -> None:
    stream = _Terminal()
    display = choose_display(stream)
    display.say("warning: [brackets] stay")
    display.show(_STATUS)
    display.close()
    assert "step 20/400" in stream.getvalue()
    assert "2,346 tokens/s" in stream.getvalue().replace("\n", " ")
    assert "warning: [brackets] stay" in stream.getvalue()


def test_what_is_not_known_is_left_out() -> None:
    status = Status(1, 2, None, None, 10.0, None, 1.0)
    assert format_status(status) == "every step skipped  10 tokens/s  1 s left"
