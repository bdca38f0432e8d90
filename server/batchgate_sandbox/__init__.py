"""A provider on this machine: OpenAI's and Azure OpenAI's Files and Batches APIs over real HTTP."""
