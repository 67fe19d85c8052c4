-- The shop's data, generated: the same on every run.
CREATE TABLE users (
  id int PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL UNIQUE
);
CREATE TABLE products (
  id int PRIMARY KEY,
  name text NOT NULL,
  price numeric(8, 2) NOT NULL
);
CREATE TABLE orders (
  id int PRIMARY KEY,
  user_id int NOT NULL REFERENCES users ON DELETE CASCADE,
  product_id int NOT NULL REFERENCES products,
  note text NOT NULL
);
CREATE INDEX ON orders (user_id);

INSERT INTO users
  SELECT n, (ARRAY['Ada', 'Blaise', 'Chloë', 'Dmitri', 'Émile', 'Grace', 'Hedy', 'Kōji'])[1 + n % 8] || ' ' || n, 'user' || n || '@example.org'
  FROM generate_series(1, 5000) n;
INSERT INTO products
  SELECT n, (ARRAY['Teapot', 'Bicycle bell', 'Lamp', 'Notebook', 'Umbrella'])[1 + n % 5] || ' No. ' || n, 1 + n * 37 % 9000 / 100.0
  FROM generate_series(1, 200) n;
INSERT INTO orders
  SELECT n, 1 + n * 7919 % 5000, 1 + n * 179 % 200, md5(n::text)
  FROM generate_series(1, 60000) n;
ANALYZE;
