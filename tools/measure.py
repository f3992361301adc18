"How easy notebooks are to take in: `python tools/measure.py [NOTEBOOK …]` prints a table (default: the numbered ones)."
import ast
import json
import re
import sys
from pathlib import Path
from statistics import mean, median

top = Path(__file__).resolve().parent.parent
heading = re.compile(r'^#{1,6} \S.*$', re.MULTILINE)


def cells(notebook, kind):
    "Sources of the cells of a kind, without directives and blank ends"
    found = [''.join(c['source']) for c in json.loads(Path(notebook).read_text())['cells'] if c['cell_type'] == kind]
    return [source for source in found if source.strip()]


def lines(source): return [line for line in source.splitlines() if line.strip() and not line.startswith('#|')]


def exported(notebook): return [c for c in cells(notebook, 'code') if re.match(r'#\|\s*export\b', c)]


def definitions(source):
    "Functions and classes at the top level of a cell; none where it is no plain Python"
    try: body = ast.parse(source).body
    except SyntaxError: return []
    return [node for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))]


def public(source):
    "The public functions at the top level of a cell, and the public methods of its classes"
    found = [f for node in definitions(source) for f in ([node] if isinstance(node, ast.FunctionDef) else node.body)]
    return [f for f in found if isinstance(f, ast.FunctionDef) and (f.name[0] != '_' or f.name.endswith('__'))]


def parameters(source):
    "For each parameter of a cell's public functions whether it is documented: by a comment, or by an option's help"
    text, found = source.splitlines(), []
    for f in public(source):
        own = [a for a in [*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs] if a.arg not in ('self', 'cls')]
        is_command = any('app.command' in ast.unparse(d) for d in f.decorator_list)
        found += [is_command or '#' in text[a.lineno - 1] for a in own]
    return found


def measured(notebooks):
    "Figures by name"
    code = [lines(c) for n in notebooks for c in cells(n, 'code')]
    defining = [c for n in notebooks for c in exported(n) if definitions(c)]
    lengths, markdown = [len(lines(c)) for c in defining], [c for n in notebooks for c in cells(n, 'markdown')]
    words = [len(c.split()) for c in markdown]
    headed = [c for c in markdown if heading.search(c)]
    shared = [c for c in headed if heading.sub('', c).strip() and not c.lstrip().startswith('# ')]
    source = [line for n in notebooks for c in exported(n) for line in c.splitlines()]
    documented = [d for c in defining for d in parameters(c)]
    if not defining: raise SystemExit('none of these notebooks exports a definition')
    return {'lines a code cell, mean': f'{mean(map(len, code)):.1f}',
            'lines an exported definition cell, median (most)': f'{median(lengths):.0f} ({max(lengths)})',
            'definitions in such a cell': f'{mean(len(definitions(c)) for c in defining):.1f}',
            'words a markdown cell (most)': f'{mean(words):.0f} ({max(words)})',
            'headings that share a cell with prose': f'{len(shared)/len(headed):.0%}',
            'exported lines over 120 characters': f'{mean(len(line) > 120 for line in source):.1%}',
            'documented parameters': f'{mean(documented):.0%}'}


def main():
    notebooks = sys.argv[1:] or sorted((top/'nbs').glob('[0-9]*.ipynb'))
    print('| | here |\n| --- | --- |')
    for name, figure in measured(notebooks).items(): print(f'| {name} | {figure} |')


if __name__ == '__main__': main()
