"The checks behind `make test`. Each returns what is wrong and the way out, or '' if all is well."
import os
import subprocess
import sys
import time
from difflib import unified_diff
from pathlib import Path
from tempfile import TemporaryDirectory

from browser import missing
from docs import build
from sync import changes, command, problems, top

way_out = 'Run `make sync` to bring modules, notebooks and README into step.'


def excerpt(name, wanted, n_lines=12):
    "Name of a file that differs, with the first lines of the difference"
    if wanted is None: return f'{name}: no notebook exports it'
    path = top/name
    if not path.exists(): return f'{name}: missing'
    if name.endswith('.ipynb'): return name
    diff = [*unified_diff(path.read_text(encoding='utf-8').splitlines(), wanted.decode().splitlines(),
                          'as it is', 'as its notebook has it', lineterm='', n=1)]
    more = [f'... {len(diff) - n_lines} more lines'] if len(diff) > n_lines else []
    return '\n    '.join([f'{name}:', *diff[:n_lines], *more])


def in_step(changed, wanted, advice):
    "Fails where `changed` holds a file that `wanted` picks"
    found = [excerpt(name, content) for name, content in changed.items() if wanted(name)]
    return '\n'.join([*found, advice]) if found else ''


def is_module(name): return not is_notebook(name) and name != 'README.md'
def is_notebook(name): return name.endswith('.ipynb')


def modules(changed):
    return in_step(changed, is_module, f'{way_out} It overwrites modules: carry a change made in one by hand to its '
                                       'notebook first (`.venv/bin/nbdev-update` does).')


def clean_notebooks(changed):
    return in_step(changed, is_notebook, f'These hold metadata or counters that nbdev-clean removes. {way_out}')


def readme(changed):
    return in_step(changed, lambda name: name == 'README.md', f'Edit nbs/index.ipynb, not README.md. {way_out}')


def lint():
    ruff = [command('ruff'), 'check', '--no-cache', '--output-format', 'concise']
    done = subprocess.run([*ruff, '.'], cwd=top, text=True, capture_output=True)
    return done.returncode and f'{done.stdout}{done.stderr}Mend modules in their notebooks, then run `make sync`.'


def notebook_environment():
    "One thread for each notebook, and the real faces for the tests, if you have them (see CONTRIBUTING.md)"
    env = {k: v for k, v in os.environ.items() if k != 'IN_TEST'}
    env |= dict(OMP_NUM_THREADS='1', MKL_NUM_THREADS='1', PYTHONUNBUFFERED='1')
    shared = env.get('FACEREID_SHARED') or top.parent/'shared'
    if os.path.isdir(shared): env['FACEREID_SHARED'] = os.path.abspath(shared)
    return env


def notebooks():
    env = notebook_environment()
    faces = f'with the real faces in {env["FACEREID_SHARED"]}' if 'FACEREID_SHARED' in env else 'without real faces'
    print(f'Running the notebooks, {faces}', flush=True)
    workers = str(min(2, os.cpu_count() or 1))
    with TemporaryDirectory() as scratch: # the processes of nbdev-test end without removing their temporary files
        test = [command('nbdev-test'), '--n-workers', workers, '--do-print', '--timing']
        done = subprocess.run(test, cwd=top, env=env | dict(TMPDIR=scratch))
    return done.returncode and (f'nbdev-test ended with status {done.returncode}: see above. '
                                'Run one notebook alone with `.venv/bin/nbdev-test nbs/NAME.ipynb`.')


def page():
    "The page of `byteface serve`, tried in a browser where there is one"
    if reason := missing(): return print(f'The page is not tried in a browser: {reason}', flush=True)
    done = subprocess.run([sys.executable, top/'tools/browser.py'], cwd=top, env=notebook_environment())
    return done.returncode and f'tools/browser.py ended with status {done.returncode}: see above.'


def documentation():
    "The site, built aside as `make docs` builds it"
    with TemporaryDirectory() as scratch:
        try: problem = build(Path(scratch)/'site')
        except problems as e: problem = str(e)
    return problem and f'{problem}\nMend the notebooks, then try `make docs`.'


def main():
    print('Exporting the notebooks aside, to compare', flush=True)
    try: changed = changes()
    except problems as e: sys.exit(f'FAILED: {e}')
    checks = [('Modules are what their notebooks export', modules, changed),
              ('Notebooks are clean', clean_notebooks, changed),
              ('README.md is what nbs/index.ipynb renders', readme, changed),
              ('Modules and tools have no unused or undefined names', lint),
              ('The documentation site builds, without a broken link', documentation),
              ('The page of byteface serve works in a browser', page),
              ('Every notebook runs', notebooks)]
    failed = 0
    for title, check, *args in checks:
        start = time.monotonic()
        problem = check(*args)
        failed += bool(problem)
        print(f'{"FAILED" if problem else "ok":6} {title} ({time.monotonic() - start:.0f} s)', flush=True)
        if problem: print('  ' + problem.strip().replace('\n', '\n  '), flush=True)
    print(f'{len(checks) - failed} passed, {failed} failed')
    sys.exit(failed > 0)


if __name__ == '__main__': main()
