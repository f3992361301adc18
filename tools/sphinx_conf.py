"How Sphinx renders the pages that tools/docs.py prepares."
project = 'facereid_nb'
html_title = 'facereid_nb'
copyright = 'facereid_nb contributors'
extensions = ['myst_nb']
root_doc = 'index'
exclude_patterns = ['extra']
nb_execution_mode = 'off'
nb_merge_streams = True
myst_enable_extensions = ['dollarmath', 'amsmath']
myst_heading_anchors = 4
html_theme = 'furo'
html_theme_options = {'top_of_page_buttons': []}
html_static_path = ['static']
html_css_files = ['site.css']
html_extra_path = ['extra']
html_show_sphinx = False
html_copy_source = False
