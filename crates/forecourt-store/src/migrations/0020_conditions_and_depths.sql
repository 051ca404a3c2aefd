-- Conditions of routes, and how long the chains of callers' certificates may be. Until now they could be of any length.

ALTER TABLE routes ADD COLUMN vars {text} NOT NULL DEFAULT '[]';

ALTER TABLE certificates ADD COLUMN client_depth BIGINT;
UPDATE certificates SET client_depth = 100 WHERE client_ca IS NOT NULL;
