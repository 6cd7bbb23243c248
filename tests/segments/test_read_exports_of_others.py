"""What people bring along from another canvas."""

from segments.definition.reading import read_segment


def test_an_export_of_another_canvas_is_told_what_its_nodes_are_here() -> None:
    for export in ({"nodes": [], "connections": {}}, {"nodes": [], "edges": []}):
        finding = next(one for one in read_segment(export).findings if one.pointer == "/steps")
        assert "export of n8n or React Flow" in (finding.hint or "")
    plain = next(one for one in read_segment({"edges": []}).findings if one.pointer == "/steps")
    assert "n8n" not in (plain.hint or "")
