"""Ties the parts of the page to Gradio; no other script knows it.

What is used of Gradio's inside, for which the minor version is pinned, with the test that notices a change:

- `gr.HTML(js_on_load=)` with its `props`, `trigger` and `watch`, and plain HTTP's call/NAME: the page itself.
- The hashed file core-*.js, whose `changeLocale` changes the language of Gradio's labels; there is no other way to do
  it without loading the page anew (page.py, language.js): tests/test_texts.py.
- `[data-testid="block-info"]`, the titles of groups, which have no name for screen readers, and `button[data-tab-id]`
  (names.js), a tab's panel (shared/sight.js): tests/test_accessibility.py, tests/test_stage.py.
- The class `dark` of the body (shared/look.js), the boxes of a `gr.CheckboxGroup` (arrows.js), the `aria-label` of a
  slider's number (fields.js): tests/test_phone.py, tests/test_accessibility.py, tests/test_stage.py.
- `demo.fns[ID].validator`, since `gr.api` takes none, and the queue's events, by which a run notices that its caller
  is gone (api/endpoints.py, hosting/): tests/test_api.py, tests/test_limits.py.
- `Blocks.get_config_file()`, of which the page without a server is made (static/page.py): tests/test_static.py and all
  tests with the mark `everywhere`.
- `gradio.mcp.GradioMCPServer`, four methods of which are mended (api/tools.py): tests/test_mcp.py.
- `GRADIO_CACHE` and `temp_files` of a component, so that `delete_cache` clears the files away (share/files.py), and
  `demo.temp_file_sets`, in which all of them are (hosting/disk.py): tests/test_api.py, tests/test_limits.py.
- The classes of Gradio's elements in the style sheets; `!important` stands where Gradio's own rules are as specific.
"""
