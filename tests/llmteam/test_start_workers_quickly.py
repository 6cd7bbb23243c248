"""A worker starts without what only a web process has: the sooner it goes on with the runs of one that died."""

from tests.support.child_python import child_python, read_words

START = """if True:
    import sys
    import llmteam.celery
    llmteam.celery.app.loader.import_default_modules()
    import runs.engine.host.bootstep, humantasks.mail.bootstep
    from runs.engine.host.host import Host
    print("started", *sorted({"llmteam.urls", "llmteam.admin_site", "daphne.server", "unfold.admin"} & {*sys.modules}))
    import llmteam.urls
    from django.contrib import admin
    print(len(admin.site._registry) > 10)
"""


def test_a_worker_loads_neither_routes_nor_console() -> None:
    with child_python(START) as child:
        assert read_words(child) == ["started"]
        assert read_words(child) == ["True"], "with the routes there is all of it"
