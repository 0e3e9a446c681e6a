from ansible.plugins.action import ActionBase
from ansible_collections.ansible.windows.plugins.plugin_utils.wine_host import checked, run


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return run(checked(self._task.args, ["argv"], ["argv"])["argv"])
