"""The web-platform-tests that can run in bare V8: what passes and what is known to fail."""

import pytest
import wpt


@pytest.mark.slow
@pytest.mark.parametrize("path", wpt.test_files())
def test_web_platform_tests(path: str) -> None:
    known = wpt.expected().failures.get(path, {})
    found = wpt.outcome(path)
    new = {name: failure for name, failure in found.items() if failure and name not in known}
    assert not new, "\n".join(f"{name}: {failure[:500]}" for name, failure in list(new.items())[:10])
    passes = [name for name in known if found.get(name) == ""]
    assert not passes, f"these pass now; take them out of expected.json: {passes[:10]}"
    gone = [name for name in known if name not in found]
    assert not gone, f"these are in expected.json, but not in the file: {gone[:10]}"


def test_expected_names_only_files_and_reasons_that_are_there() -> None:
    expected = wpt.expected()
    assert set(expected.failures) <= set(wpt.test_files())
    used = {reason for failures in expected.failures.values() for reason in failures.values()}
    assert used == set(expected.reasons)
    assert expected.not_counted <= set(expected.reasons)


@pytest.mark.slow
def test_almost_everything_passes() -> None:
    """The bars of the issue: URL 99 %, headers, encoding and streams 98 % of what can be asked of a server."""
    for area, bar in {"url": 0.99, "fetch/api/headers": 0.98, "encoding": 0.98, "streams": 0.98}.items():
        passed, counted = wpt.score(area)
        assert passed / counted >= bar, f"{area}: {passed} of {counted}"
