from django.apps import AppConfig


class TradingConfig(AppConfig):
    name = "trading"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Models exist only now.
        from risk import runtimes
        from trading import alerting
        from trading.runtime import PaperRuntime

        runtimes.register(PaperRuntime())
        alerting.register()
