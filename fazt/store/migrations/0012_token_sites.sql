-- A token for several sites: the same list that users and invites have.

ALTER TABLE token ADD COLUMN sites TEXT; -- JSON list of the only sites that it may touch; NULL: all
UPDATE token SET sites = json_array(site) WHERE site IS NOT NULL;
ALTER TABLE token DROP COLUMN site;
