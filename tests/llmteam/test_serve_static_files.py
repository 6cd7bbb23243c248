"""The pages' own files come from this process, also when it serves asynchronously."""

import re

import pytest

from tests.support.server import ServerProcess


@pytest.mark.django_db(transaction=True)
def test_the_apis_page_has_all_its_files(server: ServerProcess) -> None:
    with server.caller() as caller:
        page = caller.get("/api/docs/").text
        files = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
        assert len(files) >= 2
        for file in files:
            answer = caller.get(file)
            assert answer.status_code == 200, file
            assert len(answer.content) > 100, file
        assert caller.get("/static/nothing.css").status_code == 404
    assert "Warning" not in server.log, server.log[-2000:]
