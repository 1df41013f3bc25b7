DROP FUNCTION expire_offers;
DROP TABLE drawdown, offer;
ALTER TABLE decision_link DROP CONSTRAINT decision_link_kind_check;
ALTER TABLE decision_link ADD CONSTRAINT decision_link_kind_check CHECK (kind IN ('person', 'again')) NOT VALID;
