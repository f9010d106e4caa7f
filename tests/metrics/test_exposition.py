"""What is written is what Prometheus' own parser reads."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from fazt.metrics.exposition import Family, counter, gauge, write

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n"), max_size=30)
NUMBERS = st.one_of(st.integers(0, 2**53), st.floats(0, 1e18))


@given(st.dictionaries(TEXTS, NUMBERS, min_size=1, max_size=5))
def test_labels_and_values_come_back(values: dict[str, float]) -> None:
    samples = tuple(({"site": name, "kind": "a"}, value) for name, value in values.items())
    (family,) = text_string_to_metric_families(write([Family("fazt_x", "gauge", "What it is.", samples)]))
    assert (family.name, family.type, family.documentation) == ("fazt_x", "gauge", "What it is.")
    assert {sample.labels["site"]: sample.value for sample in family.samples} == values
    assert {sample.labels["kind"] for sample in family.samples} == {"a"}


def test_families_stand_one_after_the_other_and_an_empty_one_is_left_out() -> None:
    text = write([gauge("a", "A.", 1), Family("empty", "gauge", "Nothing.", ()), counter("b_total", "B.", 2.5)])
    assert text == "# HELP a A.\n# TYPE a gauge\na 1\n# HELP b_total B.\n# TYPE b_total counter\nb_total 2.5\n"
