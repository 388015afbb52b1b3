from sync.bench_map import bench_map, in_words


def test_the_bench_measures_in_a_browser(chromium):
    assert chromium.is_connected()
    result = bench_map(300, 1, chromium.new_context)
    assert result["findings"] == 300
    assert 0 < result["first_paint_ms"] <= result["all_findings_ms"]
    assert result["filters"] == 12
    assert 0 < result["filter_ms"] <= result["slowest_filter_ms"]
    assert "300 findings" in in_words(result)


def test_a_goal_that_is_missed_is_named(chromium, monkeypatch):
    monkeypatch.setattr("sync.bench_map.FIRST_MS", 1.0)
    result = bench_map(10, 1, chromium.new_context)
    assert {"first_paint", "first_findings"} <= set(result["goals_missed"])
    assert "missed: first_paint" in in_words(result)
