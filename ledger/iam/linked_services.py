"""The services that have service-linked roles: what AWS calls each role, and which policy it gives it.

Source: the services' own user guides, "Using service-linked roles for …". AWS publishes no list, so this is not all.
The names of the policies are in `ledger.account.managed_policies`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.account.managed_policies import PREFIX

ROLE_PREFIX = "AWSServiceRoleFor"


@dataclass(frozen=True, slots=True)
class LinkedService:
    """`suffix` tells whether CreateServiceLinkedRole takes a CustomSuffix."""

    role_name: str
    policy_arn: str
    suffix: bool = False


def _service(role: str, policy: str, *, suffix: bool = False) -> LinkedService:
    return LinkedService(f"{ROLE_PREFIX}{role}", f"{PREFIX}aws-service-role/{policy}", suffix)


def _scaled(target: str, policy: str | None = None) -> LinkedService:
    return _service(f"ApplicationAutoScaling_{target}", policy or f"AWSApplicationAutoscaling{target}Policy")


_SERVICES: Final = {
    "access-analyzer": _service("AccessAnalyzer", "AccessAnalyzerServiceRolePolicy"),
    "acm": _service("CertificateManager", "CertificateManagerServiceRolePolicy"),
    "airflow": _service("AmazonMWAA", "AmazonMWAAServiceRolePolicy"),
    "appmesh": _service("AppMesh", "AWSAppMeshServiceRolePolicy"),
    "apprunner": _service("AppRunner", "AppRunnerServiceRolePolicy"),
    "appstream.application-autoscaling": _scaled("AppStreamFleet"),
    "autoscaling": _service("AutoScaling", "AutoScalingServiceRolePolicy", suffix=True),
    "autoscaling-plans": _service(
        "AutoScalingPlans_EC2AutoScaling", "AWSAutoScalingPlansEC2AutoScalingPolicy"
    ),
    "backup": _service("Backup", "AWSBackupServiceLinkedRolePolicyForBackup"),
    "batch": _service("Batch", "BatchServiceRolePolicy"),
    "cassandra.application-autoscaling": _scaled("CassandraTable"),
    "channels.lex": _service("LexChannels", "LexChannelPolicy"),
    "cks.kms": _service(
        "KeyManagementServiceCustomKeyStores", "AWSKeyManagementServiceCustomKeyStoresServiceRolePolicy"
    ),
    "cloud9": _service("AWSCloud9", "AWSCloud9ServiceRolePolicy"),
    "cloudhsm": _service("CloudHSM", "CloudHSMServiceRolePolicy"),
    "cloudtrail": _service("CloudTrail", "CloudTrailServiceRolePolicy"),
    "comprehend.application-autoscaling": _scaled("ComprehendEndpoint"),
    "compute-optimizer": _service("ComputeOptimizer", "ComputeOptimizerServiceRolePolicy"),
    "config": _service("Config", "AWSConfigServiceRolePolicy"),
    "connect": _service("AmazonConnect", "AmazonConnectServiceLinkedRolePolicy", suffix=True),
    "custom-resource.application-autoscaling": _scaled(
        "CustomResource", "AWSApplicationAutoScalingCustomResourcePolicy"
    ),
    "dax": _service("DAX", "DAXServiceRolePolicy"),
    "detective": _service("Detective", "AmazonDetectiveServiceLinkedRolePolicy"),
    "dynamodb.application-autoscaling": _scaled("DynamoDBTable"),
    "ec2.application-autoscaling": _scaled("EC2SpotFleetRequest"),
    "ec2fleet": _service("EC2Fleet", "AWSEC2FleetServiceRolePolicy"),
    "ecs": _service("ECS", "AmazonECSServiceRolePolicy"),
    "ecs.application-autoscaling": _scaled("ECSService"),
    "eks": _service("AmazonEKS", "AmazonEKSServiceRolePolicy"),
    "eks-connector": _service("AmazonEKSConnector", "AmazonEKSConnectorServiceRolePolicy"),
    "eks-fargate": _service("AmazonEKSForFargate", "AmazonEKSForFargateServiceRolePolicy"),
    "eks-nodegroup": _service("AmazonEKSNodegroup", "AWSServiceRoleForAmazonEKSNodegroup"),
    "elasticache": _service("ElastiCache", "ElastiCacheServiceRolePolicy"),
    "elasticache.application-autoscaling": _scaled("ElastiCacheRG"),
    "elasticbeanstalk": _service("ElasticBeanstalk", "AWSElasticBeanstalkServiceRolePolicy"),
    "elasticfilesystem": _service("AmazonElasticFileSystem", "AmazonElasticFileSystemServiceRolePolicy"),
    "elasticloadbalancing": _service("ElasticLoadBalancing", "AWSElasticLoadBalancingServiceRolePolicy"),
    "elasticmapreduce": _service("EMRCleanup", "AmazonEMRCleanupPolicy"),
    "elasticmapreduce.application-autoscaling": _scaled("EMRInstanceGroup"),
    "emr-containers": _service("AmazonEMRContainers", "AmazonEMRContainersServiceRolePolicy"),
    "es": _service("AmazonElasticsearchService", "AmazonElasticsearchServiceRolePolicy"),
    "events": _service("CloudWatchEvents", "CloudWatchEventsServiceRolePolicy"),
    "fms": _service("FMS", "FMSServiceRolePolicy"),
    "fsx": _service("AmazonFSx", "AmazonFSxServiceRolePolicy"),
    "globalaccelerator": _service("GlobalAccelerator", "AWSGlobalAcceleratorSLRPolicy"),
    "guardduty": _service("AmazonGuardDuty", "AmazonGuardDutyServiceRolePolicy"),
    "inspector2": _service("AmazonInspector2", "AmazonInspector2ServiceRolePolicy"),
    "kafka": _service("Kafka", "KafkaServiceRolePolicy"),
    "kafka.application-autoscaling": _scaled("KafkaCluster"),
    "kafkaconnect": _service("KafkaConnect", "KafkaConnectServiceRolePolicy"),
    "lakeformation": _service("LakeFormationDataAccess", "LakeFormationDataAccessServiceRolePolicy"),
    "lambda.application-autoscaling": _scaled("LambdaConcurrency"),
    "lex": _service("LexBots", "LexBotPolicy"),
    "lexv2": _service("LexV2Bots", "AmazonLexV2BotPolicy", suffix=True),
    "logger.cloudfront": _service("CloudFrontLogger", "AWSCloudFrontLogger"),
    "macie": _service("AmazonMacie", "AmazonMacieServiceRolePolicy"),
    "maintenance.elasticbeanstalk": _service("ElasticBeanstalkMaintenance", "AWSElasticBeanstalkMaintenance"),
    "managedupdates.elasticbeanstalk": _service(
        "ElasticBeanstalkManagedUpdates", "AWSElasticBeanstalkManagedUpdatesServiceRolePolicy"
    ),
    "member.org.stacksets.cloudformation": _service(
        "CloudFormationStackSetsOrgMember", "CloudFormationStackSetsOrgMemberServiceRolePolicy"
    ),
    "memorydb": _service("MemoryDB", "MemoryDBServiceRolePolicy"),
    "mq": _service("AmazonMQ", "AmazonMQServiceRolePolicy"),
    "mrk.kms": _service(
        "KeyManagementServiceMultiRegionKeys", "AWSKeyManagementServiceMultiRegionKeysServiceRolePolicy"
    ),
    "neptune.application-autoscaling": _scaled("NeptuneCluster"),
    "network-firewall": _service("NetworkFirewall", "AWSNetworkFirewallServiceRolePolicy"),
    "observability.aoss": _service(
        "AmazonOpenSearchServerless", "AmazonOpenSearchServerlessServiceRolePolicy"
    ),
    "opensearchservice": _service("AmazonOpenSearchService", "AmazonOpenSearchServiceRolePolicy"),
    "ops.apigateway": _service("APIGateway", "APIGatewayServiceRolePolicy"),
    "ops.emr-serverless": _service("AmazonEMRServerless", "AmazonEMRServerlessServiceRolePolicy"),
    "organizations": _service("Organizations", "AWSOrganizationsServiceTrustPolicy"),
    "pullthroughcache.ecr": _service("ECRPullThroughCache", "AWSECRPullThroughCache_ServiceRolePolicy"),
    "ram": _service("ResourceAccessManager", "AWSResourceAccessManagerServiceRolePolicy"),
    "rds": _service("RDS", "AmazonRDSServiceRolePolicy"),
    "rds.application-autoscaling": _scaled("RDSCluster"),
    "redshift": _service("Redshift", "AmazonRedshiftServiceLinkedRolePolicy"),
    "replication.dynamodb": _service("DynamoDBReplication", "DynamoDBReplicationServiceRolePolicy"),
    "replication.ecr": _service("ECRReplication", "ECRReplicationServiceRolePolicy"),
    "replicator.lambda": _service("LambdaReplicator", "AWSLambdaReplicator"),
    "sagemaker.application-autoscaling": _scaled("SageMakerEndpoint"),
    "securityhub": _service("SecurityHub", "AWSSecurityHubServiceRolePolicy"),
    "servicequotas": _service("ServiceQuotas", "ServiceQuotasServiceRolePolicy"),
    "spot": _service("EC2Spot", "AWSEC2SpotServiceRolePolicy"),
    "spotfleet": _service("EC2SpotFleet", "AWSEC2SpotFleetServiceRolePolicy"),
    "ssm": _service("AmazonSSM", "AmazonSSMServiceRolePolicy"),
    "sso": _service("SSO", "AWSSSOServiceRolePolicy"),
    "stacksets.cloudformation": _service(
        "CloudFormationStackSetsOrgAdmin", "CloudFormationStackSetsOrgAdminServiceRolePolicy"
    ),
    "storage-lens.s3": _service("S3StorageLens", "S3StorageLensServiceRolePolicy"),
    "support": _service("Support", "AWSSupportServiceRolePolicy"),
    "transitgateway": _service("VPCTransitGateway", "AWSVPCTransitGatewayServiceRolePolicy"),
    "trustedadvisor": _service("TrustedAdvisor", "AWSTrustedAdvisorServiceRolePolicy"),
    "wafv2": _service("WAFV2Logging", "WAFV2LoggingServiceRolePolicy"),
    "workspaces.application-autoscaling": _scaled("WorkSpacesPool"),
}

LINKED_SERVICES: Final = {f"{name}.amazonaws.com": service for name, service in _SERVICES.items()}
"""By service principal, which is compared by case."""
