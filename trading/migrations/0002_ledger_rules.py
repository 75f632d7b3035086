"""What the database itself sees to: heads, append-only tables, and the names that SQL users rely on."""

from django.db import migrations

# A run has a head from its first moment, whoever makes it.
HEADS = """
CREATE FUNCTION ledger_open_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ledger_heads (run_id, seq, hash) VALUES (NEW.id, 0, decode(repeat('00', 32), 'hex'));
    RETURN NULL;
END $$;
CREATE TRIGGER open_head AFTER INSERT ON runs FOR EACH ROW EXECUTE FUNCTION ledger_open_head();
"""

REFUSALS = """
CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only: % is refused. Correct an entry by a new one.', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION ledger_refuse_stray_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND current_setting('alphaswarm.appending', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'table % is a projection of ledger_events: % is refused outside of an append.',
        TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
"""
APPEND_ONLY = ["ledger_events", "ledger_anchors", "fills", "risk_events", "bot_versions", "equity_curves"]
CHANGED_BY_APPENDS = ["ledger_heads", "orders", "positions", "equity_points"]


def guards(function, tables):
    return "".join(
        f"CREATE TRIGGER {function} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION {function}();\n"
        for table in tables
    )


VIEWS = """
CREATE VIEW paper_trading_runs AS
SELECT id, bot_id, bot_version_id, task_id, name, mode, status, reason, venue, synthetic, starting_cash, cash,
       final_equity, total_pnl, num_bars, num_fills, state, model_urn, pipeline_urn, ledger_hash, created_by,
       created_at, started_at, ended_at
  FROM runs WHERE mode IN ('paper', 'live');

CREATE VIEW backtest_runs AS
SELECT id, bot_id, bot_version_id, task_id, name, status, reason, starting_cash, final_equity, total_pnl,
       (metrics ->> 'sharpe')::double precision AS sharpe,
       (metrics ->> 'total_return')::double precision AS total_return,
       (metrics ->> 'max_drawdown')::double precision AS max_drawdown,
       num_bars, num_fills, metrics, ledger_hash, created_by, created_at, started_at, ended_at
  FROM runs WHERE mode = 'backtest';

CREATE VIEW paper_fills AS
SELECT f.id, f.run_id AS paper_run_id, f.order_id, f.venue_execution_id, f.symbol, f.side, f.qty, f.price, f.fee,
       f.filled_at
  FROM fills f JOIN runs r ON r.id = f.run_id WHERE r.mode IN ('paper', 'live');
"""
NO_VIEWS = "DROP VIEW paper_fills; DROP VIEW backtest_runs; DROP VIEW paper_trading_runs;"


class Migration(migrations.Migration):
    dependencies = [("trading", "0001_ledger")]

    operations = [
        migrations.RunSQL(HEADS, "DROP TRIGGER open_head ON runs; DROP FUNCTION ledger_open_head();"),
        migrations.RunSQL(
            REFUSALS
            + guards("ledger_refuse_change", APPEND_ONLY)
            + guards("ledger_refuse_stray_change", CHANGED_BY_APPENDS),
            "DROP FUNCTION ledger_refuse_change() CASCADE; DROP FUNCTION ledger_refuse_stray_change() CASCADE;",
        ),
        migrations.RunSQL(VIEWS, NO_VIEWS),
    ]
