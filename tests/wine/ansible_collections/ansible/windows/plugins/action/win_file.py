import shutil

from ansible.plugins.action import ActionBase
from ansible_collections.ansible.windows.plugins.plugin_utils.wine_host import checked, linux


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        arguments = checked(self._task.args, ["path", "state"], ["path", "state"])
        path = linux(arguments["path"])
        there = path.exists()
        if arguments["state"] == "directory":
            path.mkdir(parents=True, exist_ok=True)
        elif path.is_dir():
            shutil.rmtree(path)
        elif there:
            path.unlink()
        return {"changed": there != path.exists()}
