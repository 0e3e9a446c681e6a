import pathlib

from ansible.plugins.action import ActionBase
from ansible_collections.ansible.windows.plugins.plugin_utils.wine_host import checked, put


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        arguments = checked(self._task.args, ["src", "dest"], ["src", "dest"])
        source = pathlib.Path(self._find_needle("templates", arguments["src"]))
        self._templar.available_variables = task_vars
        text = self._templar.template(source.read_text(), preserve_trailing_newlines=True, escape_backslashes=False,
                                      convert_data=False)
        return {"changed": put(arguments["dest"], text.encode())}
