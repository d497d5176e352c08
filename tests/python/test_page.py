"""The page in a real browser: as a file and live."""

import json
import re
import subprocess
import time
import urllib.error
import urllib.request

import pytest

import browser

pytestmark = pytest.mark.skipif(browser.find() is None, reason="there is no Chromium here (`cargo xtask test` installs it where it may)")

HOSTILE = '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">\'"&{{7*7}}'


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    tab = browser.Browser(tmp_path_factory.mktemp("chromium"))
    yield tab
    tab.close()


@pytest.fixture(autouse=True)
def no_complaints(chromium):
    """Whatever a test does, the page complains about nothing."""
    chromium.complaints.clear()
    chromium.size(1280, 900)
    chromium.scheme("light")
    yield
    assert chromium.complaints == []


@pytest.fixture(scope="module")
def report(lehr, tmp_path_factory):
    """A report on a sweep: two schedules, one of them with a name that would do harm."""
    folder = tmp_path_factory.mktemp("report")
    rows = ["schedule,lr,seed,loss"]
    quoted = '"' + HOSTILE.replace('"', '""') + '"'
    for name, best in [("cosine", 3), (quoted, 5)]:
        for i in range(9):
            for seed in range(3):
                loss = "inf" if i == 8 else 0.5 + 0.01 * (i - best) ** 2 + 0.001 * seed
                rows.append(f"{name},{1e-3 * 2**i},{seed},{loss}")
    (folder / "sweep.csv").write_text("\n".join(rows) + "\n")
    page = folder / "report.html"
    subprocess.run([lehr, "report", folder / "sweep.csv", "-o", page], check=True)
    return page


def cells(tab, key):
    place = f"[...document.querySelectorAll('.trials th')].findIndex(th => th.dataset.key === '{key}')"
    return tab.run(f"[...document.querySelectorAll('.trials tr.row')].map(row => row.children[{place}].textContent)")


def test_a_report_is_one_small_file_that_works_alone(chromium, report):
    assert report.stat().st_size < 2_500_000
    chromium.open(report.as_uri())
    assert "peak rate" in chromium.run("document.querySelector('h1').textContent")
    asked = [e["params"]["request"]["url"] for e in list(chromium.events.queue) if e["method"] == "Network.requestWillBeSent"]
    assert all(url.startswith(("file:", "data:", "blob:", "about:")) for url in asked)
    pictures = chromium.run("[...document.querySelectorAll('.card')].map(card => card.id)")
    assert pictures[:2] == ["rates", "robustness"] and pictures[-1] == "trials"
    # What there is no data for is not shown.
    assert not {"curves", "workers", "budget"} & set(pictures)


def test_pictures_are_drawn(chromium, report):
    chromium.open(report.as_uri())
    drawn = """(() => { const canvas = document.querySelector('#rates canvas');
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        const colours = new Set(); for (let i = 0; i < data.length; i += 4) colours.add(data[i] << 16 | data[i+1] << 8 | data[i+2]);
        return colours.size; })()"""
    chromium.wait(f"{drawn} > 20")


def test_a_hostile_name_does_nothing(chromium, report):
    chromium.open(report.as_uri())
    assert chromium.run("window.hacked") is None
    assert chromium.run("document.querySelectorAll('img, script:not([type])').length") == 2
    assert any(HOSTILE in text for text in cells(chromium, "schedule"))
    box = chromium.run("(() => { const r = document.querySelector('#rates canvas').getBoundingClientRect(); return [r.left, r.top, r.width, r.height]; })()")
    for share in range(5, 96, 3):
        chromium.mouse(box[0] + box[2] * share / 100, box[1] + box[3] * 0.7)
    chromium.run("document.querySelector('.trials tr.row').click()")
    assert chromium.run("window.hacked") is None


def test_the_table_sorts_and_filters(chromium, report):
    chromium.open(report.as_uri())
    losses = [float(text) for text in cells(chromium, "value") if text not in "∞–"]
    assert losses == sorted(losses) and len(losses) == 16
    chromium.run("document.querySelector('th[data-key=rate] button').click()")
    chromium.run("document.querySelector('th[data-key=rate] button').click()")
    rates = [float(text) for text in cells(chromium, "rate")]
    assert rates == sorted(rates, reverse=True)
    assert chromium.run("document.querySelector('th[data-key=rate]').getAttribute('aria-sort')") == "descending"

    def filtered(text):
        chromium.run(f"(() => {{ const i = document.querySelector('.filter input'); i.value = {json.dumps(text)}; i.dispatchEvent(new Event('input')); }})()")
        chromium.wait("true")
        time.sleep(0.15)
        return len(cells(chromium, "rate"))

    assert filtered("cosine") == 9
    assert filtered("state=diverged") == 2
    assert filtered("schedule=cosine rate<0.01") == 4
    assert filtered("no such thing") == 0
    assert chromium.run("document.querySelector('.filter output').textContent").startswith("0 of 18")


def test_hovering_a_point_tells_about_it(chromium, report):
    chromium.open(report.as_uri())
    chromium.run("document.querySelector('#rates .plot').focus()")
    chromium.key("ArrowRight")
    chromium.wait("document.querySelector('#rates .hint') && document.querySelector('#rates .hint').textContent.includes('peak rate')")


def test_light_and_dark_follow_the_system_and_the_key(chromium, report):
    ground = "getComputedStyle(document.body).backgroundColor"
    chromium.scheme("dark")
    chromium.open(report.as_uri())
    dark = chromium.run(ground)
    chromium.key("t")
    light = chromium.run(ground)
    assert dark != light and chromium.run("document.documentElement.dataset.theme") == "light"
    chromium.key("t")
    assert chromium.run(ground) == dark
    chromium.run("localStorage.clear()")


def test_keys_open_help_and_trials(chromium, report):
    chromium.open(report.as_uri())
    chromium.key("?")
    assert chromium.run("document.querySelector('dialog').open")
    chromium.key("Escape")
    chromium.wait("!document.querySelector('dialog').open")
    chromium.key("/")
    assert chromium.run("document.activeElement.type") == "search"
    chromium.run("document.querySelector('.trials tr.row').focus()")
    chromium.key("ArrowDown")
    assert chromium.run("document.activeElement === document.querySelectorAll('.trials tr.row')[1]")
    chromium.key("Enter")
    assert chromium.run("document.querySelector('dialog').open && document.querySelector('dialog h2').textContent.startsWith('Trial')")


def test_downloads(chromium, report):
    chromium.open(report.as_uri())
    chromium.run("window.saved = []; URL.createObjectURL = (blob) => { window.saved.push(blob); return 'blob:x'; }; HTMLAnchorElement.prototype.click = function () {}")
    for i in range(3):
        chromium.run("document.querySelector('#rates .menu > button').click()")
        chromium.run(f"document.querySelectorAll('#rates .menu [role=menuitem]')[{i}].click()")
        chromium.wait(f"window.saved.length === {i + 1}")
    svg, _, csv = [chromium.run(f"window.saved[{i}].text()") for i in range(3)]
    assert svg.startswith("<svg") and "<script" not in svg and csv.startswith("schedule,rate,loss")
    assert len(csv.strip().splitlines()) == 19
    assert chromium.run("window.saved[1].type") == "image/png" and chromium.run("window.saved[1].size") > 5000


def test_a_phone_needs_no_scrolling_sideways(chromium, report):
    chromium.size(390, 844, phone=True)
    chromium.open(report.as_uri())
    assert chromium.run("document.documentElement.scrollWidth") <= 390


# The live page.


class Served:
    def __init__(self, lehr, folder, *arguments):
        self.process = subprocess.Popen([lehr, "serve", "--port", "0", *arguments], cwd=folder, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://"), "the server did not start"
        self.base = re.sub(r"/(\?.*)?$", "", self.url)

    def ask(self, path, method="GET", body=None, **headers):
        """Status, headers and text of an answer."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method, headers={k.replace("_", "-"): v for k, v in headers.items()})
        opener = urllib.request.build_opener(NoRedirect)
        try:
            with opener.open(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def close(self):
        self.process.kill()
        self.process.wait()


def leave(tab):
    """Before a server ends: a page that it serves would complain."""
    tab.send("Page.navigate", url="about:blank")
    tab.wait("location.href === 'about:blank'")


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


@pytest.fixture(scope="module")
def studies(example, tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve")
    for name in ("demo", HOSTILE):
        subprocess.run([example("study"), "lehr.db", name, "30", "20"], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def served(lehr, studies):
    server = Served(lehr, studies)
    yield server
    server.close()


def test_a_list_of_studies_leads_to_each(chromium, served):
    chromium.open(served.url)
    assert chromium.run("[...document.querySelectorAll('.studies strong')].map(s => s.textContent)") == ["demo", HOSTILE]
    chromium.open(served.base + "/study/2")
    assert chromium.run("document.querySelector('.title strong').textContent") == HOSTILE
    assert chromium.run("window.hacked") is None
    pictures = chromium.run("[...document.querySelectorAll('.card')].map(card => card.id)")
    assert {"rates", "curves", "parameters", "workers", "budget", "trials"} <= set(pictures)


def test_a_running_trial_appears_without_loading_the_page_again(chromium, lehr, example, studies):
    server = Served(lehr, studies)
    try:
        chromium.open(server.base + "/study/1")
        chromium.run("window.mark = 1")
        trials = "document.querySelector('.filter output').textContent"
        assert chromium.run(trials) == "30 trials"
        worker = subprocess.Popen([example("study"), "lehr.db", "demo", "0", "20", "8"], cwd=studies)
        try:
            chromium.wait(f"{trials} === '31 trials'")
            chromium.wait("document.querySelector('.live').dataset.state === 'live'")
            seen = chromium.run("window.lehrUpdates")
            chromium.wait(f"window.lehrUpdates > {seen} + 1")
            assert worker.wait(60) == 0
            chromium.wait("document.querySelector('.live').dataset.state === 'done'")
        finally:
            worker.kill()
        assert chromium.run("window.mark") == 1, "the page was loaded again"
        # Away before the server goes: a page that loses it says so.
        chromium.open("about:blank", "true")
    finally:
        server.close()


def test_answers_forbid_everything_but_the_servers_own_files(served):
    for path in ("/", "/study/1", "/page.js", "/api/studies", "/nothing"):
        _, headers, _ = served.ask(path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy, path
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"


def test_other_names_sites_and_paths_are_refused(served):
    assert served.ask("/")[0] == 200
    assert served.ask("/", Host="evil.example")[0] == 403
    assert served.ask("/api/studies", Origin="http://evil.example")[0] == 403
    for path in ("/../Cargo.toml", "/..%2f..%2fetc/passwd", "/page.css/../../x", "/study/1/../../../etc/passwd", "/api/studies/x/view"):
        assert served.ask(path)[0] in (400, 404), path
    assert served.ask("/api/studies/999/view")[0] == 404
    assert served.ask("/api/studies/1/trials/999")[0] == 404


def test_nothing_changes_without_leave(served, lehr, studies):
    assert served.ask("/api/studies/1/trials/0/repeat", "POST")[0] == 403
    assert json.loads(served.ask("/api/studies")[2])["proof"] is None
    server = Served(lehr, studies, "--allow-actions")
    try:
        repeat = "/api/studies/2/trials/0/repeat"
        assert server.ask(repeat, "POST")[0] == 403
        assert server.ask(repeat, "POST", x_lehr_proof="guess")[0] == 403
        proof = json.loads(server.ask("/api/studies")[2])["proof"]
        assert server.ask(repeat, "POST", x_lehr_proof=proof, Origin="http://evil.example")[0] == 403
        status, _, text = server.ask(repeat, "POST", x_lehr_proof=proof)
        assert status == 200
        added = json.loads(text)["trial"]
        status, _, text = server.ask(f"/api/studies/2/trials/{added}/stop", "POST", x_lehr_proof=proof)
        assert (status, json.loads(text)) == (200, {"state": "FAIL"}), "it had not begun"
        assert server.ask("/api/studies/2/trials/0/stop", "POST", x_lehr_proof=proof)[0] == 409, "it is finished"
    finally:
        server.close()


def test_others_need_the_token(lehr, studies):
    failed = subprocess.run([lehr, "serve", "--host", "0.0.0.0", "--port", "0", "--token", "short"], cwd=studies, capture_output=True, text=True)
    assert failed.returncode == 2 and "16 characters" in failed.stderr
    server = Served(lehr, studies, "--host", "0.0.0.0")
    try:
        token = server.url.split("token=")[1]
        assert len(token) >= 32
        for path in ("/", "/api/studies", "/page.js", "/?token=", f"/?token={token[:-1]}", f"/?token={token}x"):
            assert server.ask(path)[0] == 401, path
        status, headers, _ = server.ask(f"/?token={token}")
        assert status == 303 and headers["Location"] == "/"
        cookie = headers["Set-Cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
        assert server.ask("/api/studies", Cookie=cookie.split(";")[0])[0] == 200
        assert server.ask("/api/studies", Cookie="lehr=" + "x" * len(token))[0] == 401
    finally:
        server.close()


def test_a_form_adds_a_trial_and_says_what_cannot_be(chromium, lehr, studies):
    server = Served(lehr, studies, "--allow-actions")
    try:
        path = "/api/studies/1/trials"
        assert server.ask(path, "POST", {"params": {}})[0] == 403, "without the proof"
        proof = json.loads(server.ask("/api/studies")[2])["proof"]
        for body in ({}, [], {"params": {"lr": "0"}}, {"params": {"lr": 1}}, {"params": {"x": "1"}}):
            assert server.ask(path, "POST", body, x_lehr_proof=proof)[0] == 422, body
        chromium.open(server.base + "/study/1")
        chromium.wait("!!document.querySelector('[data-act=enqueue]')")
        before = chromium.run("document.querySelector('.filter output').textContent")
        chromium.run("document.querySelector('[data-act=enqueue]').click()")
        chromium.wait("!!document.querySelector('.form input')")
        fill = "(() => {{ document.querySelector('.form input[name=lr]').value = {}; document.querySelector('.form button').click(); }})()"
        # The browser complains about a refused request; that is what is asked for here.
        chromium.run(fill.format("'<b>7e9</b>'"))
        chromium.wait("document.querySelector('.said.bad')?.textContent.includes('is not in')")
        chromium.complaints.clear()
        assert chromium.run("document.activeElement.name") == "lr"
        chromium.run(fill.format("'0.01'"))
        chromium.wait("document.querySelector('.said.good')?.textContent.includes('waits for a worker')")
        chromium.wait(f"document.querySelector('.filter output').textContent !== {json.dumps(before)}")
    finally:
        leave(chromium)
        server.close()


def test_a_running_trial_is_stopped_from_its_page(chromium, lehr, tmp_path):
    program = "for i in $(seq 1 900); do echo '{\"step\": '$i', \"val_loss\": 1.5}'; sleep 0.1; done"
    tune = subprocess.Popen([lehr, "tune", "--study", "s", "--lr", "0.1..1", "--trials", "1", "--", "/bin/sh", "-c", program, "{lr}"],
                            cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        end = time.monotonic() + 60
        while not (tmp_path / "lehr.db").exists() and time.monotonic() < end:
            time.sleep(0.1)
        server = Served(lehr, tmp_path, "--allow-actions")
        try:
            chromium.open(server.base + "/study/1")
            chromium.wait("!!document.querySelector('.trials tr.row .state.running')")
            chromium.run("document.querySelector('.trials tr.row').click()")
            chromium.wait("!!document.querySelector('[data-act=stop]')")
            chromium.run("document.querySelector('[data-act=stop]').click()")
            chromium.wait("!!document.querySelector('.trials tr.row .state.pruned')", 30)
            assert "stopped from the page" in chromium.run("document.querySelector('.trials tr.row').textContent")
            assert tune.wait(timeout=60) is not None, "the study had only this trial"
        finally:
            leave(chromium)
            server.close()
    finally:
        tune.kill()


# Results of other commands.


def result(lehr, folder, name, *arguments):
    done = subprocess.run([lehr, *arguments, "--json"], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (folder / f"{name}.json").write_text(done.stdout)
    return folder / f"{name}.json"


def log_of(folder):
    """A loss that falls, with a spike, a NaN and a hostile name."""
    rows = [f"{HOSTILE},{step},{1 + 2 / (1 + step / 20) if step not in (300, 301) else 9},0.1" for step in range(600)]
    (folder / "log.csv").write_text('run,step,loss,lr\n' + "\n".join(rows).replace(HOSTILE, f'"{HOSTILE}"') + "\n")
    return folder / "log.csv"


RESULTS = {
    "find": (["find", "--steps", "120"], ["range-test"]),
    "rates": (["lab", "rates", "--walk-steps", "20000", "--walks", "128", "--points", "5", "--schedules", "linear; cosine", "--rho-high", "320"], ["worst-case"]),
    "robustness": (["lab", "robustness", "--steps", "200", "--points", "9", "--seeds", "3", "--schedules", "linear; constant"], ["losses", "excess"]),
    "diagnose": (["diagnose", "log.csv", "--by", "run"], ["losses", "trials"]),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_has_a_page_of_its_own(chromium, lehr, tmp_path, name):
    log_of(tmp_path)
    arguments, pictures = RESULTS[name]
    file = result(lehr, tmp_path, name, *arguments)
    page = tmp_path / "page.html"
    subprocess.run([lehr, "report", file, "-o", page], check=True, capture_output=True)
    chromium.open(page.as_uri())
    assert chromium.run("[...document.querySelectorAll('.card')].filter(card => !card.hidden).map(card => card.id)") == pictures
    assert len(chromium.run("document.querySelector('h1').textContent")) > 10
    assert chromium.run("window.hacked") is None
    drawn = f"""(() => {{ const canvas = document.querySelector('#{pictures[0]} canvas');
        const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        const colours = new Set(); for (let i = 0; i < data.length; i += 4) colours.add(data[i] << 16 | data[i+1] << 8 | data[i+2]);
        return colours.size; }})()"""
    chromium.wait(f"{drawn} > 10")
    for form in ("md", "json", "svg"):
        done = subprocess.run([lehr, "report", file, "--format", form], check=True, capture_output=True, text=True)
        assert "<script" not in done.stdout.replace(json.dumps(HOSTILE)[1:-1], "") or form == "json"


def test_files_are_served_beside_studies(chromium, lehr, tmp_path):
    (tmp_path / "sweep.csv").write_text("lr,loss\n0.1,1\n0.2,0.5\n0.4,0.9\n")
    (tmp_path / "broken.json").write_text('{"schema": "lehr.find/1"}')
    server = Served(lehr, tmp_path, "sweep.csv", "broken.json")
    try:
        chromium.open(server.base + "/")
        chromium.wait("document.querySelectorAll('.studies a').length === 2")
        chromium.open(server.base + "/file/0")
        chromium.wait("document.querySelector('h1').textContent.includes('0.2')")
        (tmp_path / "sweep.csv").write_text("lr,loss\n0.1,0.3\n0.2,0.5\n0.4,0.9\n")
        chromium.wait("document.querySelector('h1').textContent.includes('0.1')", 30)
        status, _, text = server.ask("/api/files/1/view")
        assert status == 500 and "lacks" in text
        assert server.ask("/api/files/7/view")[0] == 404
    finally:
        leave(chromium)
        server.close()
