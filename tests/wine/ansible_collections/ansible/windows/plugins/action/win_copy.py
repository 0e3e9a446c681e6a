import pathlib

from ansible.plugins.action import ActionBase
from ansible_collections.ansible.windows.plugins.plugin_utils.wine_host import checked, put


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        arguments = checked(self._task.args, ["src", "dest"], ["src", "dest"])
        return {"changed": put(arguments["dest"], pathlib.Path(arguments["src"]).read_bytes())}
