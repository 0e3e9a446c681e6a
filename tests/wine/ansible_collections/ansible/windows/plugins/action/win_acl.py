from ansible.plugins.action import ActionBase
from ansible_collections.ansible.windows.plugins.plugin_utils.wine_host import checked, linux


class ActionModule(ActionBase):
    """Wine has no access lists to speak of: the folder has to be there, and the arguments have to be right."""

    def run(self, tmp=None, task_vars=None):
        arguments = checked(self._task.args, ["path", "user", "rights", "type", "inherit"], ["path"])
        return {"changed": False, "failed": not linux(arguments["path"]).is_dir()}
