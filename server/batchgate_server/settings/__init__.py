"""The configuration: the only reader of the environment and of configuration files."""

from batchgate_server.settings.addresses import is_local
from batchgate_server.settings.admin import AdminSettings
from batchgate_server.settings.audit import AuditSettings
from batchgate_server.settings.callers import NAMED_ALWAYS, CallerSettings, Limits, OverallLimits
from batchgate_server.settings.differences import Change, applied, differences
from batchgate_server.settings.entra import EntraSettings
from batchgate_server.settings.forms import check_name
from batchgate_server.settings.loading import load_settings
from batchgate_server.settings.models import LogSettings, ServerSettings, Settings, WatchSettings
from batchgate_server.settings.problems import ConfigurationError, Problem
from batchgate_server.settings.profiles import AzureOpenAIProfile, OpenAIProfile, ProfileBase
from batchgate_server.settings.sharing import shared_profiles
from batchgate_server.settings.tls import TLSSettings

__all__ = [
    "NAMED_ALWAYS",
    "AdminSettings",
    "AuditSettings",
    "AzureOpenAIProfile",
    "CallerSettings",
    "Change",
    "ConfigurationError",
    "EntraSettings",
    "Limits",
    "LogSettings",
    "OpenAIProfile",
    "OverallLimits",
    "Problem",
    "ProfileBase",
    "ServerSettings",
    "Settings",
    "TLSSettings",
    "WatchSettings",
    "applied",
    "check_name",
    "differences",
    "is_local",
    "load_settings",
    "shared_profiles",
]
