"""Forms: multipart and urlencoded bodies, in and out."""

import json

import pytest
from bare_v8 import Isolate
from hypothesis import given, settings
from hypothesis import strategies as st

BOUNDARY = "X"


@pytest.fixture(scope="module")
def forms() -> Isolate:
    isolate = Isolate()
    isolate.run(
        """globalThis.entries = async (form) =>
             Promise.all([...form].map(async ([name, value]) =>
               typeof value === "string" ? [name, value] : [name, value.name, value.type, await value.text()]));
           globalThis.parse = (text, type = 'multipart/form-data; boundary="X"') =>
             new Response(text, { headers: { "content-type": type } }).formData()
               .then(entries, (error) => `${error}`);"""
    )
    return isolate


def part(head: str, body: str) -> str:
    """Return one part with its boundary."""
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n{body}\r\n"


END = f"--{BOUNDARY}--\r\n"
FIELD = 'Content-Disposition: form-data; name="a"'
FILE = 'content-disposition: form-data; name="f"; filename="x.txt"'

GOOD = [
    (END, []),
    (part(FIELD, "1") + END, [["a", "1"]]),
    (part(FIELD, "1\r\n2") + END, [["a", "1\r\n2"]]),
    (part(FIELD, "") + END.strip(), [["a", ""]]),
    (part(FIELD, "--X") + END, [["a", "--X"]]),
    (part(FIELD, "\ufeffé") + END, [["a", "é"]]),
    (part(FIELD, "1") + part(FIELD, "2") + END, [["a", "1"], ["a", "2"]]),
    (part(FILE, "hi") + END, [["f", "x.txt", "text/plain", "hi"]]),
    (part(FILE + "\r\nContent-Type: image/PNG", "") + END, [["f", "x.txt", "image/png", ""]]),
    (part("Content-Disposition: form-data; name=a", "1") + END, [["a", "1"]]),
    (part('Content-Disposition: form-data; name="a%22b%0D%0Ac"', "1") + END, [['a"b\r\nc', "1"]]),
    (part("X-Other: y\r\n" + FIELD, "1") + END, [["a", "1"]]),
]


@pytest.mark.parametrize(("text", "entries"), GOOD)
def test_multipart_is_read(forms: Isolate, text: str, entries: list[list[str]]) -> None:
    assert forms.value(f"parse({json.dumps(text)})") == entries


BAD = [
    "",
    "--X",
    "--X--\r\nmore",
    part(FIELD, "1"),
    part("Content-Disposition: form-data", "1") + END,
    part("Content-Disposition: attachment; name=a", "1") + END,
    part("no colon", "1") + END,
    part(FIELD + "\r\nContent-Transfer-Encoding: base64", "MQ==") + END,
    f"--{BOUNDARY}\r\n{FIELD}\r\n",
    f"--{BOUNDARY} \r\n{FIELD}\r\n\r\n1\r\n" + END,
    f"--Y\r\n{FIELD}\r\n\r\n1\r\n--Y--\r\n",
    part(FIELD + "; " + "x" * 20000, "1") + END,
    part(FIELD, "") * 10001 + END,
]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_what_is_not_multipart_is_refused(forms: Isolate, text: str) -> None:
    assert forms.value(f"parse({json.dumps(text)})").startswith("TypeError: The body is not multipart/form-data")


def test_other_types_are_refused(forms: Isolate) -> None:
    assert "Content-Type" in forms.value("parse('a=1', 'text/plain')")
    assert forms.value("parse('a=1&b=%20x+y', 'application/x-www-form-urlencoded')") == [["a", "1"], ["b", " x y"]]


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAMES, NAMES), max_size=5), st.lists(st.tuples(NAMES, NAMES, NAMES), max_size=3))
def test_what_is_sent_comes_back(
    forms: Isolate, fields: list[tuple[str, str]], files: list[tuple[str, str, str]]
) -> None:
    forms.run(
        f"""globalThis.form = new FormData();
            for (const [name, value] of {json.dumps(fields)}) form.append(name, value);
            for (const [name, file, text] of {json.dumps(files)})
              form.append(name, new File([text], file, {{type: "a/b"}}));"""
    )
    found = forms.value("new Response(form).formData().then(entries)")

    def as_sent(text: str) -> str:
        """A line break in a form is CRLF; %0A, %0D and %22 in a name can't be told from what they escape."""
        return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")

    def name_as_read(text: str) -> str:
        return (
            text.replace("%0A", "\n").replace("%0a", "\n").replace("%0D", "\r").replace("%0d", "\r").replace("%22", '"')
        )

    def mark(text: str) -> str:
        return text.removeprefix("\ufeff")

    wanted = [[name_as_read(as_sent(name)), mark(as_sent(value))] for name, value in fields]
    wanted += [[name_as_read(as_sent(name)), name_as_read(file), "a/b", mark(text)] for name, file, text in files]
    assert found == wanted


def test_the_type_names_the_boundary(forms: Isolate) -> None:
    found = forms.value(
        "(async (r) => [r.headers.get('content-type').split('boundary=')[1], (await r.text()).slice(2)])"
        "(new Response(new FormData()))"
    )
    assert found[1] == f"{found[0]}--\r\n"
    assert len(found[0]) > 20
