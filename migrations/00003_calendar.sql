-- The working days, where a notice of the State Council was loaded after the program was built. A year that is not here
-- is the one the program carries.

-- +goose Up

-- A year is replaced as a whole, under its version.
CREATE TABLE calendar_years (
    id            $ID          NOT NULL PRIMARY KEY,
    calendar_year INT          NOT NULL,
    source        VARCHAR(200) NOT NULL,
    version       BIGINT       NOT NULL,
    imported_at   $TIME        NOT NULL,
    UNIQUE (calendar_year)
) $TABLE;

-- The days that depart from the week.
CREATE TABLE calendar_days (
    day           $DAY        NOT NULL PRIMARY KEY,
    calendar_year INT         NOT NULL,
    works         SMALLINT    NOT NULL, -- 1: a make-up working day, 0: a rest day
    name          VARCHAR(40) NOT NULL
) $TABLE;
