"""The configuration: the only reader of the environment and of configuration files."""

from batchgate_server.settings.audit import AuditSettings
from batchgate_server.settings.differences import Change, applied, differences
from batchgate_server.settings.loading import load_settings
from batchgate_server.settings.models import LogSettings, ServerSettings, Settings, WatchSettings
from batchgate_server.settings.problems import ConfigurationError, Problem
from batchgate_server.settings.profiles import AzureOpenAIProfile, OpenAIProfile, ProfileBase

__all__ = [
    "AuditSettings",
    "AzureOpenAIProfile",
    "Change",
    "ConfigurationError",
    "LogSettings",
    "OpenAIProfile",
    "Problem",
    "ProfileBase",
    "ServerSettings",
    "Settings",
    "WatchSettings",
    "applied",
    "differences",
    "load_settings",
]
