# What main.tf asks for, of one region; each region has a workspace and a name of its own.
region            = "us-west-2"
vpc_id            = "vpc-0123456789abcdef0"
public_subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
host_name         = "us.signal.example.org"
zone_id           = "Z0123456789ABCDEFGHIJ"
