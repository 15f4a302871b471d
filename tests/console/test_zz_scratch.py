from axe_playwright_python.sync_playwright import Axe
from tests.console.lives import live
from tests.console.test_conversation_looks import HOSTILE
import pytest
@pytest.mark.parametrize(("width", "dark"), [(375, True), (1280, False)])
def test_it(open_page, running, sqlite_engine, width, dark):
    life = live(sqlite_engine, HOSTILE if width == 375 else "")
    path = f"/console/conversations/{life.conversation}"
    page = open_page("manager", path, width=width, dark=dark)
    for n, a in enumerate((path, f"/console/customers/{life.customer}", "/console/customers")):
        page.goto(running.url + a); page.wait_for_selector("h1"); page.wait_for_timeout(300)
        page.screenshot(path=f"/tmp/c_x/{width}-{n}.png", full_page=True)
        print(width, a, page.evaluate("document.documentElement.scrollWidth"))
        for v in Axe().run(page).response["violations"]:
            print("  V", v["id"], [(x["html"][:150], x.get("failureSummary","")[:300]) for x in v["nodes"][:4]])
