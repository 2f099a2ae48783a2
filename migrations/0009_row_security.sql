-- Placeholder: roles and policies.
select 1;
