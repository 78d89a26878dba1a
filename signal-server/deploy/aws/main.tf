# An application load balancer with TLS before one signal server: the balancer, its certificate, its name and who
# may talk to whom. The server itself is service.yaml beside this file; apply this first and give its outputs to
# that. For several regions apply it once in each, as frankfurt.tfvars and oregon.tfvars: regions know nothing of each other.

terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  description = "Where everything is"
  type        = string
}

variable "vpc_id" {
  description = "The network"
  type        = string
}

variable "public_subnet_ids" {
  description = "Public subnets in two zones or more, for the balancer"
  type        = list(string)

  validation {
    condition     = length(var.public_subnet_ids) >= 2
    error_message = "A load balancer needs subnets in two zones."
  }
}

variable "host_name" {
  description = "The name that devices use"
  type        = string
}

variable "zone_id" {
  description = "The Route 53 zone of that name"
  type        = string
}

data "aws_subnet" "public" {
  for_each = toset(var.public_subnet_ids)
  id       = each.value
}

resource "aws_security_group" "balancer" {
  name_prefix = "towline-balancer-"
  description = "The internet to the load balancer of towline-signal"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each          = toset(["80", "443"])
  security_group_id = aws_security_group.balancer.id
  description       = "Clients"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = tonumber(each.value)
  to_port           = tonumber(each.value)
}

resource "aws_vpc_security_group_egress_rule" "to_signal" {
  security_group_id            = aws_security_group.balancer.id
  description                  = "To the server"
  referenced_security_group_id = aws_security_group.signal.id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
}

resource "aws_security_group" "signal" {
  name_prefix = "towline-signal-"
  description = "The load balancer to towline-signal"
  vpc_id      = var.vpc_id

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "from_balancer" {
  security_group_id            = aws_security_group.signal.id
  description                  = "From the balancer"
  referenced_security_group_id = aws_security_group.balancer.id
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
}

# Fetching the image and writing the log; the server itself connects to nobody.
resource "aws_vpc_security_group_egress_rule" "to_aws" {
  security_group_id = aws_security_group.signal.id
  description       = "To the registry and CloudWatch"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_lb" "signal" {
  name_prefix        = "signal"
  load_balancer_type = "application"
  subnets            = var.public_subnet_ids
  security_groups    = [aws_security_group.balancer.id]
  # The server asks a quiet client every 24 to 36 s and ends it after 75 s.
  idle_timeout               = 120
  drop_invalid_header_fields = true
}

# No stickiness: there is one target, and devices keep no cookies.
resource "aws_lb_target_group" "signal" {
  name_prefix          = "signal"
  vpc_id               = var.vpc_id
  target_type          = "ip"
  port                 = 8080
  protocol             = "HTTP"
  deregistration_delay = 10

  health_check {
    path                = "/ready"
    matcher             = "200"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 3
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_lb_listener" "https" {
  load_balancer_arn = aws_lb.signal.arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = aws_acm_certificate_validation.signal.certificate_arn

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.signal.arn
  }
}

# Numbers are read inside.
resource "aws_lb_listener_rule" "no_numbers" {
  listener_arn = aws_lb_listener.https.arn
  priority     = 1

  condition {
    path_pattern {
      values = ["/metrics"]
    }
  }

  action {
    type = "fixed-response"

    fixed_response {
      content_type = "text/plain"
      status_code  = "404"
    }
  }
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.signal.arn
  port              = 80
  protocol          = "HTTP"

  default_action {
    type = "redirect"

    redirect {
      port        = "443"
      protocol    = "HTTPS"
      status_code = "HTTP_301"
    }
  }
}

resource "aws_acm_certificate" "signal" {
  domain_name       = var.host_name
  validation_method = "DNS"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_route53_record" "proof" {
  for_each = {
    for option in aws_acm_certificate.signal.domain_validation_options : option.domain_name => option
  }
  zone_id = var.zone_id
  name    = each.value.resource_record_name
  type    = each.value.resource_record_type
  records = [each.value.resource_record_value]
  ttl     = 300
}

resource "aws_acm_certificate_validation" "signal" {
  certificate_arn         = aws_acm_certificate.signal.arn
  validation_record_fqdns = [for record in aws_route53_record.proof : record.fqdn]
}

resource "aws_route53_record" "signal" {
  zone_id = var.zone_id
  name    = var.host_name
  type    = "A"

  alias {
    name                   = aws_lb.signal.dns_name
    zone_id                = aws_lb.signal.zone_id
    evaluate_target_health = false
  }
}

output "target_group" {
  description = "TargetGroup of service.yaml"
  value       = aws_lb_target_group.signal.arn
}

output "security_group" {
  description = "SecurityGroup of service.yaml"
  value       = aws_security_group.signal.id
}

output "trusted_proxies" {
  description = "TrustedProxies of service.yaml"
  value       = join(",", sort([for subnet in data.aws_subnet.public : subnet.cidr_block]))
}
