"What pyproject.toml calls dynamic, read from settings.ini."
from configparser import ConfigParser
from pathlib import Path

from setuptools import setup

settings = ConfigParser(interpolation=None)
settings.read(Path(__file__).with_name('settings.ini'), encoding='utf-8')


def lines(text): return [line for line in text.splitlines() if line]


setup(
    description=settings['package']['description'],
    install_requires=lines(settings['package']['requirements']),
    extras_require={name: lines(text) for name, text in settings['extras'].items()},
    entry_points={group: [f'{name} = {target}' for name, target in settings[group].items()]
                  for group in ('console_scripts', 'nbdev')},
)
