"""The page of `byteface serve` in a real browser: from an empty gallery to a named face before the camera.

Needs Chromium (Debian: apt install chromium) and playwright; says so where it lacks one. Pictures of the page are
written with `python tools/browser.py nbs/images`. Everybody on them is drawn."""
import base64
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

top = Path(__file__).resolve().parent.parent
PHONE = dict(viewport=dict(width=390, height=844), device_scale_factor=2, is_mobile=True, has_touch=True)
DESKTOP = dict(viewport=dict(width=1100, height=900))
SERVER = ('import sys; from facereid_nb.model import load_model; from facereid_nb.serve import serve; '
          'serve(load_model(sys.argv[1], "cpu"), sys.argv[2], port=0)')


def chromium():
    "Path of a Chromium or Chrome; None where there is none"
    names = 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'
    return next((found for name in names if (found := shutil.which(name))), None)


def missing():
    "What keeps the page from being tried here, or ''"
    if not chromium(): return 'there is no Chromium (Debian: apt install chromium)'
    return '' if find_spec('playwright') else 'playwright is not installed (pip install playwright)'


# People, photos and the camera

def crop(look, seed):
    from facereid_nb.align import similarity_matrix, warp
    from facereid_nb.samples import draw_face
    photo, landmarks = draw_face(look, seed)
    return warp(photo, similarity_matrix(landmarks, 64), 64)


def write_model(path):
    "The network that knows drawn faces, with sixty strangers to calibrate with"
    from facereid_nb.model import embed, load_model, save_model
    from facereid_nb.samples import sample_looks
    model = load_model(top/'nbs/appendix/drawn_faces.safetensors', 'cpu')
    model.recipe = replace(model.recipe, fpir=0.05)
    model.background = embed(model, [crop(look, 1) for look in sample_looks(60, seed=1)], mirror=True)[None]
    save_model(model, path)


def scene(people, seed, size=260):
    "A photo of some people side by side"
    from facereid_nb.samples import draw_face
    from PIL import Image
    photo = Image.new('RGB', (size*len(people), size))
    for i, look in enumerate(people): photo.paste(draw_face(look, (seed, i), size)[0], (i*size, 0))
    return photo


def write_photos(folder, looks):
    "Photos to enrol from and to ask about, and a video of two people, as Chromium's camera wants it: JPEG after JPEG"
    for i, look in enumerate(looks[:3]): scene([look], seed=1).save(folder/f'{i}.jpg', quality=92)
    scene(looks[:3], seed=2).save(folder/'all.jpg', quality=92)
    scene([looks[1], looks[3]], seed=9).save(folder/'asked.jpg', quality=92)
    with open(folder/'camera.mjpeg', 'wb') as file:
        for seed in range(6):
            for _ in range(10): scene([looks[0], looks[5]], seed=20 + seed, size=320).save(file, 'JPEG', quality=92)


# Server and browser

@contextmanager
def server(model, gallery):
    "A server in a process of its own; its address"
    process = subprocess.Popen([sys.executable, '-c', SERVER, str(model), str(gallery)], cwd=gallery.parent,
                               stdout=subprocess.PIPE, text=True, env=os.environ | dict(PYTHONPATH=str(top)))
    try: yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def browser(camera):
    "Chromium, with a video in the place of the camera"
    from playwright.sync_api import sync_playwright
    args = ['--use-fake-ui-for-media-stream', '--use-fake-device-for-media-stream',
            f'--use-file-for-fake-video-capture={camera}']
    root = ['--no-sandbox'] if os.geteuid() == 0 else []
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=chromium(), args=args + root)
        try: yield started
        finally: started.close()


@contextmanager
def opened(started, address, scheme='light', **kind):
    "The page, in which nothing may go wrong and nothing may be asked of another host"
    context = started.new_context(color_scheme=scheme, **kind)
    page, wrong = context.new_page(), []
    page.on('pageerror', lambda e: wrong.append(f'script: {e}'))
    page.on('console', lambda m: wrong.append(f'console: {m.text}') if m.type in ('error', 'warning') else None)
    page.on('request', lambda r: wrong.append(r.url) if not r.url.startswith((address, 'data:', 'blob:')) else None)
    page.set_default_timeout(20_000)
    page.goto(address)
    yield page
    context.close()
    assert not wrong, wrong


def status(page, text, line='#status'):
    "Wait until the status line, or the camera's, says something"
    from playwright.sync_api import expect
    expect(page.locator(line)).to_contain_text(text, timeout=20_000)


def accessible(page):
    "What hinders a screen reader or weak eyes, as axe finds it; nothing where axe isn't installed"
    if not find_spec('axe_playwright_python'): return
    from axe_playwright_python.sync_playwright import Axe
    found = Axe().run(page).response['violations']
    assert not found, [(v['id'], v['nodes'][0]['html'][:200], v['nodes'][0]['failureSummary']) for v in found]


# The way

def enrol(page, photos):
    "Enrol three people, each from a photo"
    page.set_input_files('#file', [photos/f'{i}.jpg' for i in range(3)])
    status(page, '1 unknown. 1 unknown. 1 unknown.')
    for i, name in enumerate(('Ada', 'Bob', 'Cem')):
        card = page.locator('#answers article').nth(i)
        card.get_by_label('Name').fill(name)
        card.get_by_role('button', name='Enrol').click()
        status(page, f'{name} is enrolled')
    assert page.locator('.face.named').count() == 3


def add_photos(page, photos):
    "Give everybody a second photo, by saying that the answers are right"
    page.set_input_files('#file', photos/'all.jpg')
    status(page, 'Cem')
    for name in ('Ada', 'Bob', 'Cem'):
        card = page.locator('.face', has=page.get_by_role('heading', name=name))
        card.get_by_text(f'Is it {name}?').click()
        card.get_by_role('button', name='Yes, add this photo').click()
        status(page, f'{name} is enrolled')
        page.get_by_text(f'{name}, 2 photos').wait_for()


def by_keyboard(page):
    "Rename somebody and take it back, without a mouse"
    page.get_by_text('Bob, 2 photos').focus()
    page.keyboard.press('Enter')
    page.keyboard.press('Tab')
    page.keyboard.type('Robert')
    page.keyboard.press('Enter')
    status(page, 'Bob is called Robert now.')
    assert page.evaluate('document.activeElement.id') == 'people-title'
    page.get_by_role('button', name='Undo: Bob is called Robert').press('Enter')
    status(page, 'The last change is taken back.')
    page.get_by_text('Bob, 2 photos').wait_for()


def drop(page, photo):
    "Drop a photo onto the page"
    content = base64.b64encode(photo.read_bytes()).decode()
    dropped = page.evaluate_handle("""content => {
        const given = new DataTransfer(), bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0))
        given.items.add(new File([bytes], 'photo.jpg', {type: 'image/jpeg'}))
        return given
    }""", content)
    page.dispatch_event('#drop', 'drop', dict(dataTransfer=dropped))


def slide(page, photos):
    "Move the threshold up until nobody is named any more, and back"
    drop(page, photos/'asked.jpg')
    status(page, 'Bob, 1 unknown.')
    slider = page.get_by_role('slider', name='Threshold')
    before, cost = slider.input_value(), page.locator('#cost').text_content()
    slider.press('End')
    status(page, '2 unknown.')
    assert page.locator('#cost').text_content() != cost
    assert slider.get_attribute('aria-valuetext') == page.locator('#cost').text_content()
    page.evaluate('value => { const s = document.getElementById("slider"); s.value = value;'
                  's.dispatchEvent(new Event("input")); s.dispatchEvent(new Event("change")) }', before)
    status(page, 'Bob, 1 unknown.')


def camera(page):
    "Ada walks past the camera, with somebody unknown"
    page.get_by_role('button', name='Use the camera').click()
    status(page, 'Ada, 1 unknown.', '#seen')
    page.locator('#marks .named').wait_for()


def groups(page, picture):
    "Pictures from the camera, until the stranger on them is a group; named, the camera knows her"
    for _ in range(10):
        page.get_by_role('button', name='Take a photo').click()
        status(page, 'unknown.')
        page.get_by_role('button', name='Look again').click()
        status(page, 'Unknown people are grouped.')
        if page.locator('.group').count(): break
    group = page.locator('.group').first
    picture(page.locator('#groups'), 'groups')
    group.get_by_label('Name').fill('Dora')
    group.get_by_role('button', name='Enrol').click()
    status(page, 'Dora is enrolled.')
    for name in ('Ada', 'Dora'): status(page, name, '#seen')


def forget(page):
    "Forget somebody with a finger"
    page.get_by_text('Cem, 2 photos').tap()
    page.get_by_role('button', name='Forget Cem').tap()
    status(page, 'Cem is forgotten')
    page.get_by_role('heading', name='People (3)').wait_for()


def fits(page):
    "Nothing is wider than the screen, and what is to be touched is large enough for a finger"
    wide, high = page.evaluate('[document.documentElement.scrollWidth, innerWidth]')
    assert wide <= high, (wide, high)
    small = page.evaluate('[...document.querySelectorAll("button, summary, .drop")].filter(e => e.checkVisibility() && '
                          'e.getBoundingClientRect().height < 44).map(e => e.textContent)')
    assert not small, small


def walk(folder, pictures):
    "The whole way; pictures go into a folder, if one is given"
    from facereid_nb.samples import sample_looks
    shop, photos = folder/'shop', folder/'photos'
    for made in (shop, photos): made.mkdir()
    write_model(folder/'model.safetensors')
    write_photos(photos, sample_looks(6))

    def picture(part, name, **how):
        if pictures: part.screenshot(path=pictures/f'serve_{name}.jpg', type='jpeg', quality=80, **how)
    with server(folder/'model.safetensors', shop/'gallery.safetensors') as address, \
         browser(photos/'camera.mjpeg') as started:
        with opened(started, address, **DESKTOP) as page:
            accessible(page)
            enrol(page, photos)
            add_photos(page, photos)
            by_keyboard(page)
            slide(page, photos)
            accessible(page)
            page.evaluate('document.activeElement.blur()')
            picture(page, 'desktop', full_page=True)
            camera(page)
            picture(page, 'camera')
            groups(page, picture)
        with opened(started, address, 'dark', **PHONE) as page:
            page.set_input_files('#file', photos/'asked.jpg')
            status(page, 'Bob, 1 unknown.')
            fits(page)
            accessible(page)
            picture(page, 'phone')
            forget(page)
    left = sorted(p.name for p in shop.iterdir())
    assert all(name.startswith('gallery') for name in left), left


def main():
    if why := missing(): sys.exit(f'The page was not tried in a browser: {why}')
    pictures = Path(sys.argv[1]).resolve() if sys.argv[1:] else None
    with TemporaryDirectory() as scratch: walk(Path(scratch), pictures)
    print('The page works in', chromium())


if __name__ == '__main__': main()
