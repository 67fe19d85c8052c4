#!/bin/sh
# The page: what the shop's database holds at this moment, or what it says instead.
printf 'Content-Type: text/plain\r\n\r\n'
exec psql "$DATABASE_URL" -X -q -A -t -F '  ' -v ON_ERROR_STOP=1 -v VERBOSITY=terse 2>&1 <<'SQL'
SELECT format('%s users, %s products, %s orders', (SELECT count(*) FROM users), (SELECT count(*) FROM products), (SELECT count(*) FROM orders));
SELECT '#' || o.id, u.name, p.name, to_char(p.price, 'FM990.00') FROM orders o JOIN users u ON u.id = user_id JOIN products p ON p.id = product_id ORDER BY o.id DESC LIMIT 3;
SQL
