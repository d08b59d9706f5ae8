"""What the DataCollector may use. No tool runs code, and what a tool brings is stored first."""

from deepward.agents.tools.base import Tool
from deepward.agents.tools.choice import WEB_TOOLS, ToolSettings, open_tools
from deepward.agents.tools.knowledge_search import KnowledgeSearch

__all__ = ["WEB_TOOLS", "KnowledgeSearch", "Tool", "ToolSettings", "open_tools"]
