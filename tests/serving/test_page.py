"""The page: what is served, with which headers, and that its parts fit each other."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest

from hanlin.serving.pages import FILES, POLICY

PLACE = files("hanlin.serving") / "page"
SCRIPTS = {name: (PLACE / name).read_text("utf-8") for name in FILES if name.endswith(".js")}
HTML = (PLACE / "index.html").read_text("utf-8")
CSS = (PLACE / "page.css").read_text("utf-8")


def test_every_file_is_served_with_its_kind_and_a_strict_policy(serve):
    client = serve()
    for name, kind in FILES.items():
        response = client.get(f"/page/{name}")
        assert response.status_code == 200
        assert response.headers["content-type"] == kind
        assert response.headers["content-security-policy"] == POLICY
        assert response.headers["x-content-type-options"] == "nosniff"
    assert client.get("/").text == HTML
    assert client.get("/favicon.ico").headers["content-type"] == "image/svg+xml"
    assert "unsafe" not in POLICY and "default-src 'none'" in POLICY


def test_all_files_that_lie_there_are_served_and_no_others():
    assert {each.name for each in PLACE.iterdir()} == set(FILES)


def test_nothing_comes_from_elsewhere():
    for name, text in {**SCRIPTS, "index.html": HTML, "page.css": CSS}.items():
        assert not re.search(r"https?://|//cdn|@import|url\(", text.replace("openai", "")), name
    assert set(re.findall(r'(?:src|href)="(/[^"]+)"', HTML)) == {
        "/page/icon.svg",
        "/page/page.css",
        "/page/main.js",
    }
    for name, text in SCRIPTS.items():
        for wanted in re.findall(r'from "\./([^"]+)"', text):
            assert wanted in SCRIPTS, (name, wanted)


def test_text_goes_in_as_text_alone():
    for name, text in SCRIPTS.items():
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert way not in text, (name, way)
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=", HTML)


def test_every_id_that_a_script_uses_is_there_once():
    there = re.findall(r'\bid="([^"]+)"', HTML)
    assert len(there) == len(set(there))
    used = {found for text in SCRIPTS.values() for found in re.findall(r'byId\("([^"]+)"\)', text)}
    assert used <= set(there) and len(used) > 30
    pointed = re.findall(r'(?:for|aria-controls|aria-labelledby)="([^"]+)"', HTML)
    assert set(pointed) <= set(there)


def test_both_languages_have_every_word():
    english, chinese = (text.split("names: {") for text in SCRIPTS["words.js"].split("  zh: {\n"))
    keys = [
        [set(re.findall(r"(?:^|[,{(])\s*(\w+): ", part, re.M)) for part in side]
        for side in (english, chinese)
    ]
    assert len(keys[0][0]) > 30
    assert keys[0][0] - {"en", "const"} == keys[1][0]
    used = set(re.findall(r'data-(?:word|label|placeholder)="(\w+)"', HTML))
    used |= {w for text in SCRIPTS.values() for w in re.findall(r'\bword\("(\w+)"', text)}
    assert used <= keys[0][0] | {"names"}
    settings = set(
        re.findall(r'"(\w+)"', SCRIPTS["settings.js"].split("ORDER = [")[1].split("]")[0])
    )
    for side in keys:
        assert settings <= side[1]


def test_every_control_has_a_name():
    for tag, attributes in re.findall(r"<(button|textarea|input)\b([^>]*)>", HTML):
        identity = re.search(r'\bid="([^"]+)"', attributes)
        named = "data-word" in attributes or "data-label" in attributes or "hidden" in attributes
        labelled = identity is not None and f'for="{identity[1]}"' in HTML
        said = (
            tag == "button"
            and identity is not None
            and re.search(
                rf'id="{identity[1]}"[^>]*>\w+<|byId\("{identity[1]}"\)\.textContent',
                HTML + SCRIPTS["words.js"],
            )
        )
        assert named or labelled or said, attributes


def test_the_page_knows_what_the_server_proposes(serve):
    proposed = serve().get("/v1/models").json()["data"][0]["hanlin"]["proposed"]
    assert {"temperature", "top_p", "max_tokens"} <= set(proposed)
    assert json.dumps(proposed)


@pytest.mark.browser
def test_a_browser_talks_writes_and_shows_probabilities(running, tmp_path):
    from browser import Browser, find_chromium

    server = running(shutdown_seconds=0.2)
    with Browser(find_chromium(), tmp_path / "profile") as page:
        page.open(server.url)
        page.until("document.documentElement.dataset.ready === 'true'")
        assert page.run("document.getElementById('model-name').textContent") == "taught"
        page.run("document.getElementById('set-probabilities').click()")
        page.run(
            "document.getElementById('set-seed').value = 7;"
            "document.getElementById('set-seed').dispatchEvent(new Event('input'))"
        )
        page.run("document.getElementById('say').value = '<b>小猫</b>'")
        page.run("document.getElementById('chat-form').requestSubmit()")
        page.until("document.querySelectorAll('.message.user').length === 1")
        said = "document.querySelector('.message.user .said')"
        assert page.run(f"{said}.textContent") == "<b>小猫</b>"
        assert page.run(f"{said}.children.length") == 0
        page.until("!document.getElementById('send').hidden")
        page.run("document.querySelector('.message.user .acts button').click()")
        page.run("document.querySelector('.messages textarea').value = '小狗'")
        page.run("document.querySelector('.messages button.main').click()")
        page.until(f"{said}?.textContent === '小狗' && !document.getElementById('send').hidden")
        page.run("[...document.querySelectorAll('.acts button')].at(-1).click()")
        page.until("document.getElementById('send').hidden")
        page.until("!document.getElementById('send').hidden")
        assert page.run("document.querySelectorAll('.message.user').length") == 1
        page.run("document.getElementById('mode-write').click()")
        page.run(
            "document.getElementById('text').value = '从前';"
            "document.getElementById('text').dispatchEvent(new Event('input'));"
            "document.getElementById('write-form').requestSubmit()"
        )
        page.until("document.querySelectorAll('#written-text .token').length > 3")
        page.run("document.querySelector('#written-text .token').focus()")
        page.until("!document.getElementById('token-card').hidden")
        assert page.run("document.querySelectorAll('#token-card tr').length") > 3
        written = page.run("document.getElementById('text').value")
        assert written.startswith("从前") and len(written) > 2
        page.run("document.getElementById('show-code').click()")
        assert "/v1/completions" in page.run("document.getElementById('code-text').textContent")
        page.run("document.getElementById('code-close').click()")
        before = page.run("document.getElementById('go-on').textContent")
        page.run("document.getElementById('language').click()")
        assert page.run("document.getElementById('go-on').textContent") != before
        assert page.run("document.querySelectorAll('#talks li').length") == 2
        carried = """import('/page/store.js').then(({ Store }) => {
            const text = new Store().export();
            localStorage.clear();
            const fresh = new Store();
            return [fresh.import('{}'), fresh.import(text), fresh.talks.length, text.length > 50];
        })"""
        assert page.run(carried) == [False, True, 2, True]
        assert page.faults == []
