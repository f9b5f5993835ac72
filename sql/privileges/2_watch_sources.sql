-- Triggers that somebody has switched off, or on without saying ALWAYS, note every change again.
DO $$
BEGIN
    PERFORM yumai_pipelines.watch_sources();
END
$$;
