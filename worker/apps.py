from django.apps import AppConfig


class WorkerConfig(AppConfig):
    """When things happen: the task graph, the dispatcher, the stream, and the commands that run them."""

    name = "worker"
    label = "worker"
