"README.md from nbs/index.ipynb: nbconvert, without nbdev's directives, links seen from the top folder."
import re
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

header = '<!-- Rendered from nbs/index.ipynb. Edit that notebook, then run `make sync`. -->\n\n'
directive = re.compile(r'^#\|\s*([\w-]+)\s*:?\s*(.*?)\s*\n?$')
code_or_link = re.compile(r'(```.*?```|`[^`\n]*`)|(\]\(|(?:src|href)=")([^)"\s]+)', re.DOTALL)


def split_directives(source):
    "`#| name: value` lines at the top of a cell as a dict, and the rest of the cell"
    lines, found = source.splitlines(keepends=True), {}
    while lines and (m := directive.match(lines[0])):
        found[m[1]] = m[2] or 'true'
        del lines[0]
    return found, ''.join(lines).lstrip('\n')


def shown(cell):
    "`cell` as the README shows it, or None where it does not"
    if cell.cell_type == 'raw': return None
    directives, cell.source = split_directives(cell.source)
    if 'hide' in directives or directives.get('include') == 'false': return None
    if directives.get('output') == 'false' and 'outputs' in cell: cell.outputs = []
    if directives.get('echo') == 'false': cell.metadata['transient'] = {'remove_source': True}
    return cell


def from_top(target, notebook, top):
    "A link written in `notebook`, as seen from the folder `top`; FileNotFoundError where nothing is there"
    if re.match(r'[a-z]+:|//|#', target): return target
    path, *anchor = target.split('#')
    full = (notebook.parent/path).resolve()
    if not full.exists(): raise FileNotFoundError(f'{notebook.name} links to {path}, and there is no {full}')
    return '#'.join([full.relative_to(top).as_posix(), *anchor])


def render(notebook, top):
    "The README's text for `notebook`, a file in a folder under `top`"
    notebook, top = Path(notebook).resolve(), Path(top).resolve()
    nb = nbformat.read(notebook, as_version=4)
    nb.cells = [c for c in map(shown, nb.cells) if c is not None]
    for cell in nb.cells:
        if cell.cell_type != 'markdown': continue
        cell.source = code_or_link.sub(lambda m: m[1] or m[2] + from_top(m[3], notebook, top), cell.source)
    nb.metadata['language_info'] = {'name': 'python'}
    text, resources = MarkdownExporter().from_notebook_node(nb)
    if resources['outputs']:
        raise ValueError(f'{notebook.name} displays a picture: save it under {notebook.parent.name}/images instead, '
                         'and show it as ![what it is](images/name.png) in a markdown cell')
    text = re.sub(r'<style.*?</style>\s*', '', text, flags=re.DOTALL)
    return header + re.sub(r'\n{3,}', '\n\n', text).strip() + '\n'
