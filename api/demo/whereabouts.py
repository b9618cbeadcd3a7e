"""Where the story plays: accounts, regions, and the machines on which people and intruders sit.

All addresses are of the ranges reserved for documentation: 192.0.2.0/24 is the company's.
"""

from api.demo.callers import Client

MAIN = "210987654321"
PROD_DATA = "210987654399"
AUDITORS = "112233445566"  # an honest foreign account that may read
INTRUDERS = "998877665544"  # the foreign account behind the planted role

US, EU = "us-east-1", "eu-west-1"

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:136.0) Gecko/20100101 Firefox/136.0"
CHROME = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/134.0.0.0 Safari/537.36"
CLI = "aws-cli/2.25.1 md/awscrt#0.23.8 ua/2.1 os/macos#24.3.0 md/arch#arm64 lang/python#3.12.9 md/pyimpl#CPython cfg/retry-mode#standard md/installer#exe md/prompt#off"
TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.11.2 (+https://www.terraform.io) terraform-provider-aws/5.91.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.36.3 ua/2.1 os/linux lang/go#1.23.6 md/GOOS#linux md/GOARCH#amd64"

OFFICE = Client("192.0.2.10", FIREFOX)
OFFICE_CLI = Client("192.0.2.10", CLI)
REMOTE = Client("192.0.2.21", CHROME)
REMOTE_CLI = Client("192.0.2.21", CLI)
CI_RUNNER = Client("192.0.2.44", TERRAFORM)
REPORTS_HOST = Client(
    "192.0.2.60", "Boto3/1.37.11 md/Botocore#1.37.11 ua/2.0 os/linux#5.15.0-134-generic lang/python#3.10.12"
)
BACKUP_HOST = Client(
    "192.0.2.61",
    "aws-cli/2.24.0 md/awscrt#0.23.8 ua/2.0 os/linux#5.15.0-134-generic md/arch#x86_64 lang/python#3.12.6",
)

KALI = Client(
    "203.0.113.66",
    "Boto3/1.34.69 md/Botocore#1.34.69 ua/2.0 os/linux#6.6.15-kali1-amd64 md/arch#x86_64 lang/python#3.11.8 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.34.69",
    "attack",
)
KALI_CLI = Client(
    "203.0.113.66",
    "aws-cli/2.15.30 Python/3.11.8 Linux/6.6.15-kali1-amd64 exe/x86_64.kali.2024",
    "attack",
)
BROWSER = Client(
    "198.51.100.23",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 Safari/537.36",
    "attack",
)
SPRAYER = Client("203.0.113.141", "python-requests/2.31.0", "attack")
ABROAD = Client(
    "198.51.100.77",
    "Boto3/1.34.20 md/Botocore#1.34.20 ua/2.0 os/windows#10 md/arch#amd64 lang/python#3.10.4 md/pyimpl#CPython cfg/retry-mode#legacy Botocore/1.34.20",
    "attack",
)
